/** Emulators whose gaps we know. */
export type EmulatorName = "moto" | "ministack" | "localstack";

/** A rule that an emulator does not keep: `fails` always does, `varies` not always. */
export interface Gap {
  readonly outcome: "fails" | "varies";
  readonly reason: string;
}

type Gaps = Readonly<Record<string, Gap>>;

const DETAIL_UNCHECKED = fails("Any Detail is accepted, or any that is JSON.");
const REQUIRED_UNCHECKED = fails("Nothing in an entry is required.");

/** By emulator and contract: the rules' names, word for word, and why they fail. */
export const knownGaps: Readonly<Record<EmulatorName, { readonly s3: Gaps; readonly eventBridge: Gaps }>> = {
  moto: {
    s3: {
      "PutObject with any other form of If-None-Match is refused with 501": fails("The header is ignored."),
      "PutObject with both If-Match and If-None-Match is refused with 501": fails("Each is looked at by itself."),
      "an object encrypted with its uploader's key (SSE-C) can't be HEADed, read or copied without it: 400":
        fails("SSE-C is ignored."),
      "CopyObject with CopySourceIfMatch is refused with 412 where there is another version": fails(
        "Conditions of a copy are ignored: it copies whatever is there.",
      ),
      "CopySource, with each segment percent-encoded, finds keys with line breaks": fails(
        "No route matches a path with a line feed: 404 in HTML.",
      ),
      "keys with line breaks can be stored, listed with EncodingType url, read and deleted": fails(
        "No route matches a path with a line feed: 404 in HTML.",
      ),
      "DeleteObjects with 1,001 keys is refused as MalformedXML": fails("Keys are not counted."),
      "DeleteObjects with a wrong ETag for a key keeps that one, and lists it in Errors as PreconditionFailed": fails(
        "ETags of a batch are ignored: it deletes whatever is there.",
      ),
      "DeleteObjects with Quiet tells only what went wrong": fails("Quiet is ignored."),
      "one control character in one key fails the whole DeleteObjects as MalformedXML": fails(
        "The parser's exception becomes a 500.",
      ),
      "a page has at most 1,000 keys, also if more are asked for": fails("MaxKeys is taken as it comes."),
      "with EncodingType url, a blank comes as +, a slash as itself, and the prefix is encoded too":
        fails("A blank comes as %20."),
      "a key may have 1,024 bytes of UTF-8, and no more": fails("A key may have any length."),
    },
    eventBridge: {
      "PutEvents refuses no entries": fails("The lower bound is not checked."),
      "PutEvents refuses more than 256 KB as a whole": fails("Nothing is measured."),
      "Detail must be a JSON object, which [] is not": DETAIL_UNCHECKED,
      'Detail must be a JSON object, which "text" is not': DETAIL_UNCHECKED,
      "Detail must be a JSON object, which 1 is not": DETAIL_UNCHECKED,
      "Detail must be a JSON object, which null is not": DETAIL_UNCHECKED,
      "an entry whose Source begins with aws. fails": fails("Any Source is accepted."),
      "PutEvents to a bus that does not exist reports success": fails("The whole call is refused."),
    },
  },
  ministack: {
    s3: {
      "PutObject with any other form of If-None-Match is refused with 501": fails("The header is ignored."),
      "PutObject with both If-Match and If-None-Match is refused with 501": fails("Each is looked at by itself."),
      "an archived object can be listed and HEADed, but not read or copied: 403 InvalidObjectState": fails(
        "An archived object can be read like any other.",
      ),
      "DeleteObjects with 1,001 keys is refused as MalformedXML": fails("Keys are not counted."),
      "a page has at most 1,000 keys, also if more are asked for": fails("MaxKeys is taken as it comes."),
      "with EncodingType url, a blank comes as +, a slash as itself, and the prefix is encoded too":
        fails("A blank comes as %20."),
      "a key may have 1,024 bytes of UTF-8, and no more": fails("A key may have any length."),
    },
    eventBridge: {
      "PutEvents refuses no entries": fails("The lower bound is not checked."),
      "PutEvents refuses more than 256 KB as a whole": fails("Nothing is measured."),
      "entries fail one by one, in a 200, at their own index": fails("No entry ever fails."),
      "Detail must be a JSON object, which [] is not": DETAIL_UNCHECKED,
      'Detail must be a JSON object, which "text" is not': DETAIL_UNCHECKED,
      "Detail must be a JSON object, which 1 is not": DETAIL_UNCHECKED,
      "Detail must be a JSON object, which null is not": DETAIL_UNCHECKED,
      "Detail must be a JSON object, which {} {} is not": DETAIL_UNCHECKED,
      "an entry without Source fails": REQUIRED_UNCHECKED,
      "an entry without DetailType fails": REQUIRED_UNCHECKED,
      "an entry without Detail fails": REQUIRED_UNCHECKED,
      "a bus may be named by its ARN": fails("DescribeEventBus knows names only."),
    },
  },
  localstack: {
    s3: {
      "odd headers, an Expires that is no date among them, come with the object and do it no harm": fails(
        "An Expires that is no date fails the request with a 500.",
      ),
      "DeleteObject with If-Match deletes that version": fails("If-Match is refused with 501."),
      "DeleteObject with If-Match is refused with 412 where there is another version": fails(
        "If-Match is refused with 501.",
      ),
      "DeleteObject with If-Match says one of 204, 404 and 412 where there is nothing": fails(
        "If-Match is refused with 501.",
      ),
      "DeleteObjects with 1,001 keys is refused as MalformedXML": fails("Keys are not counted."),
      "DeleteObjects with a wrong ETag for a key keeps that one, and lists it in Errors as PreconditionFailed": fails(
        "ETags of a batch are ignored: it deletes whatever is there.",
      ),
      "one control character in one key fails the whole DeleteObjects as MalformedXML": fails(
        "The parser's exception becomes a 500.",
      ),
      "StartAfter is exclusive, need not exist, and may come before or after all keys of the prefix": fails(
        "A StartAfter beyond ASCII is compared in its percent-encoded form.",
      ),
      "pages follow each other by continuation tokens, without gap or repetition": fails(
        "With EncodingType url, the listing ends before a page that would begin beyond ASCII.",
      ),
      "a page has at most 1,000 keys, also if more are asked for": fails("MaxKeys is taken as it comes."),
      "with EncodingType url, a blank comes as +, a slash as itself, and the prefix is encoded too":
        fails("A blank comes as %20."),
    },
    eventBridge: {
      "PutEvents refuses no entries": fails("The lower bound is not checked."),
      "PutEvents refuses more than 256 KB as a whole": fails("Nothing is measured."),
      "an entry whose Source begins with aws. fails": fails("Any Source is accepted."),
    },
  },
};

function fails(reason: string): Gap {
  return { outcome: "fails", reason };
}
