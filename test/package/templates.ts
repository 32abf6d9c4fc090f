import { releaseTemplate, TEMPLATE_OPTIONS, templateName } from "../../package/template.ts";
import { effort } from "../effort.ts";

/** The release's templates, each of which takes a second to make: outside the gate the one for two flavors. */
export const templates = effort(
  TEMPLATE_OPTIONS.filter(({ flavors }) => flavors === 2),
  TEMPLATE_OPTIONS,
).map((options) => ({ options, name: templateName(options), template: releaseTemplate(options) }));
