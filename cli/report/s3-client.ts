import { S3Client } from "@aws-sdk/client-s3";

/**
 * A client for reading the archive, with the credentials and region of the environment as the AWS CLI finds them. With an endpoint
 * (given, or in AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_S3) the bucket is part of the path.
 */
export function createS3Client(endpoint = process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL): S3Client {
  return new S3Client({
    ...(endpoint && { endpoint, forcePathStyle: true }),
    // The bucket may be in another region than the user's.
    followRegionRedirects: true,
    maxAttempts: 5,
    requestHandler: { connectionTimeout: 5_000, socketTimeout: 30_000 },
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
}
