import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";

/** Connections that requests of one run share. */
export interface Connections {
  readonly httpAgent: HttpAgent;
  readonly httpsAgent: HttpsAgent;
  /**
   * Closes all connections, and with them requests in progress. Called before each run: a connection that idled since the run before may
   * have died without notice (NAT gateways, VPC endpoints and firewalls forget idle ones), and each request that uses a dead one fails or
   * waits for its time-out. TLS sessions are kept, so that new connections cost little.
   */
  close(): void;
}

/** Connections that are kept open between requests, at most `maxSockets` to each host. */
export function createConnections(maxSockets: number): Connections {
  const httpAgent = new HttpAgent({ keepAlive: true, maxSockets });
  const httpsAgent = new HttpsAgent({ keepAlive: true, maxSockets });
  return {
    httpAgent,
    httpsAgent,
    close() {
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}
