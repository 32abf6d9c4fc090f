import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { rootCertificates } from "node:tls";

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

/**
 * Connections that are kept open between requests, at most `maxSockets` to each host. `caCertificates` (PEM) are trusted in addition to
 * Node's own.
 */
export function createConnections(maxSockets: number, caCertificates?: string): Connections {
  const httpAgent = new HttpAgent({ keepAlive: true, maxSockets });
  const trusted = caCertificates === undefined ? {} : { ca: [...rootCertificates, caCertificates] };
  const httpsAgent = new HttpsAgent({ keepAlive: true, maxSockets, ...trusted });
  return {
    httpAgent,
    httpsAgent,
    close() {
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}
