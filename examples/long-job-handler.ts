import { type Envelope, parseEvent } from "../contract/parse-event.ts";

/** Logs a long job. `repo` and `workflow` are untrusted text: log them as JSON, and never put them into HTML or a shell. */
export async function handler(envelope: Envelope): Promise<void> {
  const event = parseEvent(envelope);
  if (event?.detailType !== "RunnerStop") return;
  const { repo, workflow, workflow_run_id, job_duration, flavor } = event.detail;
  console.log(JSON.stringify({ message: "long job", repo, workflow, workflow_run_id, job_duration, flavor }));
}
