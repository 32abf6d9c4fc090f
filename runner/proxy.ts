import { BlockList, isIP } from "node:net";
import type { Environment } from "./settings.ts";

/** The proxy for a request by `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` (or in small letters), or undefined. */
export function proxyFor(url: URL, environment: Environment): URL | undefined {
  const setting = (name: string) => environment[name.toLowerCase()] || environment[name];
  const scheme = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const text = setting(scheme) || setting("ALL_PROXY");
  if (!text || isExcepted(url, setting("NO_PROXY") ?? "")) return undefined;
  const withScheme = text.includes("://") ? text : `http://${text}`;
  if (!URL.canParse(withScheme)) return undefined;
  const proxy = new URL(withScheme);
  return ["http:", "https:"].includes(proxy.protocol) ? proxy : undefined;
}

/** Names are suffixes; a port restricts, `*` means all, addresses may have a prefix length. */
function isExcepted(url: URL, noProxy: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return noProxy
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      const [, name = entry, ofPort] = /^(.*?)(?::([0-9]+))?$/.exec(entry.toLowerCase()) ?? [];
      if (entry === "*") return true;
      if (isIP(host) && entry.includes("/")) return isInNetwork(host, entry);
      if (isIP(entry)) return host === entry.toLowerCase();
      const suffix = name.replace(/^\*?\./, "");
      return (ofPort === undefined || ofPort === port) && (host === suffix || host.endsWith(`.${suffix}`));
    });
}

function isInNetwork(host: string, network: string): boolean {
  const [address = "", bits = ""] = network.split("/");
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  if (!isIP(address) || !/^[0-9]{1,3}$/.test(bits) || Number(bits) > (family === "ipv6" ? 128 : 32)) return false;
  const list = new BlockList();
  list.addSubnet(address, Number(bits), family);
  return list.check(host, isIP(host) === 6 ? "ipv6" : "ipv4");
}
