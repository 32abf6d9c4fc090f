import { readFileSync } from "node:fs";
import { type Detail, parseEvent } from "runner-metrics/events";
import schema from "runner-metrics/schemas/RunnerStop.schema.json" with { type: "json" };
import { createTicket, formatTicket } from "runner-metrics/ticket";

const event = parseEvent(JSON.parse(readFileSync(0, "utf8")));
if (event?.detailType !== "RunnerStop") throw new Error("not a RunnerStop");
const stop: Detail<"RunnerStop"> = event.detail;
const where = { bucket: "metrics", flavor: "large", storage: "r-1", region: "eu-central-1", lifetimeSeconds: 60 };
const credentials = { accessKeyId: "AKIATEST", secretAccessKey: "secret" };
const ticket = formatTicket(await createTicket(where, credentials));
const { runner_name, repo, job_duration } = stop;
console.log(JSON.stringify({ runner_name, repo, job_duration, schema: schema.type, lines: ticket.split("\n").length }));
