import { afterAll } from "vitest";
import { eventBridgeContract } from "./event-bridge.contract.ts";
import { openTarget } from "./target.ts";

const target = await openTarget();
afterAll(() => target.close());
eventBridgeContract(target);
