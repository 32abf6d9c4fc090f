import { CfnRegistry, CfnSchema } from "aws-cdk-lib/aws-eventschemas";
import { Construct } from "constructs";
import * as z from "zod";
import { type DetailType, EVENT_SCHEMAS, EVENT_SOURCE, SCHEMA_VERSION } from "../../contract/events.ts";

/** The schemas of the events in EventBridge's schema registry, whose code bindings consumers can download. */
export class EventSchemas extends Construct {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    const registry = new CfnRegistry(this, "Registry", { description: "Events of runner-metrics" });
    for (const detailType of Object.keys(EVENT_SCHEMAS) as DetailType[]) {
      new CfnSchema(this, detailType, {
        registryName: registry.attrRegistryName,
        schemaName: `${EVENT_SOURCE}@${detailType}`,
        type: "OpenApi3",
        description: EVENT_SCHEMAS[detailType].description ?? detailType,
        content: JSON.stringify(openApi(detailType)),
      });
    }
  }
}

/** A schema in the form that EventBridge makes code bindings from: the envelope `AWSEvent`, and the detail within. */
export function openApi(detailType: DetailType): object {
  const { $schema: _, ...detail } = z.toJSONSchema(EVENT_SCHEMAS[detailType], { target: "openapi-3.0", io: "input" });
  const text = { type: "string" };
  return {
    openapi: "3.0.0",
    info: { title: detailType, version: `${SCHEMA_VERSION}.0.0` },
    paths: {},
    components: {
      schemas: {
        AWSEvent: {
          type: "object",
          required: ["detail-type", "resources", "detail", "id", "source", "time", "region", "account"],
          "x-amazon-events-detail-type": detailType,
          "x-amazon-events-source": EVENT_SOURCE,
          properties: {
            detail: { $ref: `#/components/schemas/${detailType}` },
            account: text,
            "detail-type": text,
            id: text,
            region: text,
            resources: { type: "array", items: text },
            source: text,
            time: { type: "string", format: "date-time" },
          },
        },
        [detailType]: detail,
      },
    },
  };
}
