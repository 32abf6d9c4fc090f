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
