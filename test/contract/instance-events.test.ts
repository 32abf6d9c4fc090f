import { describe, expect, test } from "vitest";
import { instanceEndOf } from "../../contract/instance-events.ts";

const INSTANCE = "i-1234567890abcdef0";

/** As EC2 documents its events. */
const stateChange = (state: string) => ({
  id: "7bf73129-1428-4cd3-a780-95db273d1602",
  "detail-type": "EC2 Instance State-change Notification",
  source: "aws.ec2",
  account: "123456789012",
  time: "2021-11-11T21:29:54Z",
  region: "us-east-1",
  resources: [`arn:aws:ec2:us-east-1:123456789012:instance/${INSTANCE}`],
  detail: { "instance-id": INSTANCE, state },
});
const warning = {
  ...stateChange(""),
  "detail-type": "EC2 Spot Instance Interruption Warning",
  detail: { "instance-id": INSTANCE, "instance-action": "terminate" },
};
const time = Date.UTC(2021, 10, 11, 21, 29, 54) / 1000;

describe("an event of EC2's", () => {
  test.each(["terminated", "stopped"])("says that an instance is %s", (state) => {
    expect(instanceEndOf(stateChange(state))).toEqual({ instance: INSTANCE, time, what: state });
  });

  test("warns of a spot interruption, whatever EC2 does then", () => {
    for (const action of ["terminate", "stop", "hibernate"]) {
      const event = { ...warning, detail: { ...warning.detail, "instance-action": action } };
      expect(instanceEndOf(event)).toEqual({ instance: INSTANCE, time, what: "spot-interruption" });
    }
  });

  test.each<[string, unknown]>([
    ["a machine that still may upload", stateChange("shutting-down")],
    ["a machine that is stopping", stateChange("stopping")],
    ["a machine that starts", stateChange("running")],
    ["another source", { ...stateChange("terminated"), source: "runner-metrics" }],
    ["another kind", { ...stateChange("terminated"), "detail-type": "EC2 Instance Rebalance Recommendation" }],
    ["no instance", { ...stateChange("terminated"), detail: { state: "terminated" } }],
    ["an instance with a slash", { ...warning, detail: { "instance-id": `${INSTANCE}/x` } }],
    ["no time", { ...warning, time: undefined }],
    ["an odd time", { ...warning, time: "yesterday" }],
    ["a time before 1970", { ...warning, time: "1969-12-31T23:59:58Z" }],
    ["no detail", { ...warning, detail: null }],
    ["no event", null],
    ["a text", "terminated"],
  ])("is not read from %s", (_, event) => {
    expect(instanceEndOf(event)).toBeUndefined();
  });
});
