import { S3Client } from "@aws-sdk/client-s3";
import { clientSettings } from "../connection.ts";

/** Where S3 is, if not where AWS's own settings say. */
export interface S3Place {
  readonly endpoint?: string;
  readonly region?: string;
  readonly profile?: string;
}

/** The endpoint of AWS's own settings. */
export function defaultEndpoint(): string | undefined {
  return process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL;
}

/**
 * A client for reading the archive, with credentials and region as the AWS CLI finds them. With an endpoint (given, or in
 * AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_S3) the bucket is part of the path.
 */
export function createS3Client({ endpoint = defaultEndpoint(), region, profile }: S3Place): S3Client {
  return new S3Client({
    ...clientSettings({ ...(region !== undefined && { region }), ...(profile !== undefined && { profile }) }),
    ...(endpoint && { endpoint, forcePathStyle: true }),
    // The bucket may be in another region than the user's.
    followRegionRedirects: true,
    requestHandler: { connectionTimeout: 5_000, socketTimeout: 30_000 },
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
}
