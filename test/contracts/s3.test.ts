import { afterAll } from "vitest";
import { s3Contract } from "./s3.contract.ts";
import { openTarget } from "./target.ts";

const target = await openTarget();
afterAll(() => target.close());
s3Contract(target);
