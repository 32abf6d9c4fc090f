/** The demo itself is `npm start`, and runs from the package in the gate. */
import { expect, test } from "vitest";
import { runCommand } from "./run.ts";

test.each(["x", "-1", "1.5", "65536"])("%s is no port", async (port) => {
  expect(await runCommand(["demo", `--port=${port}`])).toEqual({
    code: 2,
    stdout: "",
    stderr: "runner-metrics demo: --port is not a port\n",
  });
});

test("an endpoint where nobody answers ends it with one line", async () => {
  const { code, stdout, stderr } = await runCommand(["demo"], { AWS_ENDPOINT_URL: "http://127.0.0.1:9" });
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/^runner-metrics: [^\n]*ECONNREFUSED[^\n]*\n$/);
});
