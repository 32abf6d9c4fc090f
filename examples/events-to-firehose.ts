import { Duration, Size } from "aws-cdk-lib";
import { type IEventBus, Rule } from "aws-cdk-lib/aws-events";
import { FirehoseDeliveryStream } from "aws-cdk-lib/aws-events-targets";
import { type CfnDeliveryStream, Compression, DeliveryStream, S3Bucket } from "aws-cdk-lib/aws-kinesisfirehose";
import { BlockPublicAccess, Bucket, type IBucket } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { EVENT_SOURCE } from "../contract/events.ts";

export interface EventsToFirehoseProps {
  readonly bus: IEventBus;
}

/** All events as gzipped JSON lines in a bucket, by hour, for Athena or any warehouse. */
export class EventsToFirehose extends Construct {
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string, { bus }: EventsToFirehoseProps) {
    super(scope, id);
    this.bucket = new Bucket(this, "Bucket", { blockPublicAccess: BlockPublicAccess.BLOCK_ALL, enforceSSL: true });
    const stream = new DeliveryStream(this, "Stream", {
      destination: new S3Bucket(this.bucket as IBucket, {
        bufferingInterval: Duration.minutes(5),
        bufferingSize: Size.mebibytes(16),
        compression: Compression.GZIP,
        dataOutputPrefix: "events/!{timestamp:yyyy/MM/dd/HH}/",
        errorOutputPrefix: "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/",
      }),
    });
    appendNewlines(stream);
    new Rule(this, "Rule", {
      eventBus: bus,
      eventPattern: { source: [EVENT_SOURCE] },
      targets: [new FirehoseDeliveryStream(stream)],
    });
  }
}

/** Otherwise Firehose writes one event right behind the other. The CDK has no word for it yet. */
function appendNewlines(stream: DeliveryStream): void {
  const resource = stream.node.defaultChild as CfnDeliveryStream;
  resource.addPropertyOverride("ExtendedS3DestinationConfiguration.ProcessingConfiguration", {
    Enabled: true,
    Processors: [
      {
        Type: "AppendDelimiterToRecord",
        Parameters: [{ ParameterName: "Delimiter", ParameterValue: "\\n" }],
      },
    ],
  });
}
