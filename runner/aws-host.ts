/** Partitions of AWS beyond the commercial one and GovCloud, by how their regions begin. */
const DOMAINS: Readonly<Record<string, string>> = { cn: "amazonaws.com.cn", eusc: "amazonaws.eu" };

/** The domain of AWS's services in a region. */
function domainOf(region: string): string {
  return DOMAINS[region.split("-", 1)[0] ?? ""] ?? "amazonaws.com";
}

/** URL of an object. With an endpoint, or a dot in the bucket's name (which no certificate covers), the bucket is part of the path. */
export function objectUrl(
  {
    bucket,
    region,
    endpoint,
  }: { readonly bucket: string; readonly region: string; readonly endpoint?: URL | undefined },
  key: string,
): URL {
  const path = key.split("/").map(encodeURIComponent).join("/");
  if (endpoint) return new URL(`${endpoint.href.replace(/\/$/, "")}/${bucket}/${path}`);
  const host = `s3.${region}.${domainOf(region)}`;
  return new URL(bucket.includes(".") ? `https://${host}/${bucket}/${path}` : `https://${bucket}.${host}/${path}`);
}

/** Endpoint of STS in a region. */
export function stsUrl(region: string): URL {
  return new URL(`https://sts.${region}.${domainOf(region)}/`);
}
