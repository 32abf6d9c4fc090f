import { fileURLToPath } from "node:url";
import { build, type Metafile } from "esbuild";
import { BUNDLING } from "../../infra/constructs/extract-metrics.ts";

const ENTRY = fileURLToPath(new URL("../../functions/extract-metrics/handler.ts", import.meta.url));

/** Bundles the handler as the CDK does. */
export async function bundleHandler(outfile: string): Promise<Metafile> {
  const { minify = false, target = "node24", mainFields = [], banner = "" } = BUNDLING;
  const { metafile } = await build({
    entryPoints: [ENTRY],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    metafile: true,
    minify,
    target,
    mainFields,
    banner: { js: banner },
  });
  return metafile;
}
