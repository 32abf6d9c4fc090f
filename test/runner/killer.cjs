// Loaded before the program: kills it in its KILL_AT-th write to a file or request, before or after the effect.
const fs = require("node:fs");
const http = require("node:http");

let left = Number(process.env.KILL_AT);
function dying(object, name, isAsync) {
  const original = object[name];
  object[name] = (...args) => {
    if (typeof args[0] === "number" && args[0] <= 2) return original(...args);
    if (--left === 0) process.kill(process.pid, "SIGKILL");
    const result = original(...args);
    if (--left === 0) {
      if (isAsync) result.once("response", () => process.kill(process.pid, "SIGKILL"));
      else process.kill(process.pid, "SIGKILL");
    }
    return result;
  };
}
for (const name of ["writeSync", "unlinkSync", "mkdirSync"]) dying(fs, name, false);
dying(http, "request", true);
