import { describe, expect, test } from "vitest";
import { readScheduleInput } from "../../contract/schedule-input.ts";
import { readConfig } from "../../functions/extract-metrics/config.ts";

const REQUIRED = { BUCKET_NAME: "metrics", EVENT_BUS_NAME: "runner-metrics" };
const GITHUB = { ...REQUIRED, GITHUB_SECRET_ID: "github", GITHUB_OWNERS: "acme" };

describe("the environment", () => {
  test("without GitHub's variables leaves GitHub out", () => {
    expect(readConfig(REQUIRED).github).toBeUndefined();
  });

  test("names secret and owners, and has a default for all else", () => {
    expect(readConfig({ ...GITHUB, GITHUB_OWNERS: "acme, Octo-Org" })).toMatchObject({
      quarantineMismatches: false,
      github: {
        secretId: "github",
        owners: ["acme", "Octo-Org"],
        apiUrl: "https://api.github.com",
        timeBudgetSeconds: 60,
        requestsMax: 500,
      },
    });
  });

  test.each([
    ["https://api.acme.ghe.com", "https://api.acme.ghe.com"],
    ["https://github.acme.example/api/v3/", "https://github.acme.example/api/v3"],
    ["http://127.0.0.1:8080/api/v3", "http://127.0.0.1:8080/api/v3"],
  ])("takes %s for the API", (given, apiUrl) => {
    expect(readConfig({ ...GITHUB, GITHUB_API_URL: given }).github).toMatchObject({ apiUrl });
  });

  test.each([
    ["http://github.acme.example/api/v3"],
    ["https://user:secret@github.acme.example"],
    ["https://github.acme.example/?x=1"],
    ["https://github.acme.example/#x"],
    ["file:///etc/passwd"],
    ["api.github.com"],
  ])("refuses %s for the API: tokens go there", (given) => {
    expect(() => readConfig({ ...GITHUB, GITHUB_API_URL: given })).toThrow("GITHUB_API_URL: must be an https URL");
  });

  test("is refused with every problem by name at once", () => {
    const wrong = {
      ...GITHUB,
      GITHUB_OWNERS: "acme,../x",
      GITHUB_MISMATCH: "ignore",
      GITHUB_REQUESTS_MAX: "0",
      GITHUB_TIME_BUDGET_SECONDS: "a while",
    };
    const names = ["GITHUB_OWNERS: ", "GITHUB_MISMATCH: ", "GITHUB_REQUESTS_MAX: ", "GITHUB_TIME_BUDGET_SECONDS: "];
    for (const name of names) expect(() => readConfig(wrong)).toThrow(name);
  });

  test.each([{ GITHUB_OWNERS: undefined }, { GITHUB_SECRET_ID: undefined }])("has both or neither: %o", (lacking) => {
    expect(() => readConfig({ ...GITHUB, ...lacking })).toThrow(
      "GITHUB_OWNERS: must be set together with GITHUB_SECRET_ID",
    );
  });
});

describe("the schedule input", () => {
  test.each(["acme", "acme/widgets", "Acme-Inc/.github"])(
    "may name whose runners GitHub is asked for: %s",
    (githubRunners) => {
      expect(readScheduleInput({ flavor: "large", githubRunners })).toMatchObject({ githubRunners });
    },
  );

  test.each(["", "acme/", "/widgets", "acme/..", "acme/.", "a/b/c", "acme\n", "acme?x"])(
    "refuses %j for that",
    (githubRunners) => {
      expect(() => readScheduleInput({ flavor: "large", githubRunners })).toThrow("githubRunners: must be");
    },
  );
});
