/** `import { createTicket } from "runner-metrics/ticket"`: rights for one runner, for the program that creates runners. Needs no AWS CDK. */
export {
  type Credentials,
  createTicket,
  formatTicket,
  type PresignedPost,
  type RunnerPrefix,
  type RunnerSession,
  runnerSession,
  type TicketRequest,
} from "../../cli/ticket.ts";
export { type PolicyDocument, type RunnerPolicyOptions, runnerPolicy } from "../../contract/runner-policy.ts";
