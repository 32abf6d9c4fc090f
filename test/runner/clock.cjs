// Loaded before the program: its wall clock is ahead by CLOCK_OFFSET seconds, and the machine has been up for UPTIME_OFFSET seconds more.
const os = require("node:os");

const now = Date.now;
Date.now = () => now() + 1000 * Number(process.env.CLOCK_OFFSET || 0);
const uptime = os.uptime;
os.uptime = () => uptime() + Number(process.env.UPTIME_OFFSET || process.env.CLOCK_OFFSET || 0);
if (process.env.PRELOAD) require(process.env.PRELOAD);
