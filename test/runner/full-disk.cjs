// Loaded before the program: all files in its spool together take no more than CAPACITY bytes.
const fs = require("node:fs");
const { join } = require("node:path");

const spool = process.env.RUNNER_METRICS_SPOOL;
const full = () => Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
const taken = () => fs.readdirSync(spool).reduce((sum, name) => sum + fs.statSync(join(spool, name)).size, 0);
const { writeSync, mkdirSync } = fs;
fs.writeSync = (descriptor, data, ...rest) => {
  if (descriptor > 2 && taken() + data.length > Number(process.env.CAPACITY)) throw full();
  return writeSync(descriptor, data, ...rest);
};
fs.mkdirSync = (path, options) => {
  if (!fs.existsSync(path)) throw full();
  return mkdirSync(path, options);
};
