import * as z from "zod";
import type { RunnerLookup } from "../ports.ts";
import { type GithubApi, PAGE_SIZE } from "./api.ts";
import { GithubFailure, reasonOf } from "./failure.ts";

/** Pages that are read: 10,000 runners. */
const PAGES_MAX = 100;

/** The fields of GitHub's answer that are used. */
const page = z.object({
  total_count: z.int().nonnegative(),
  runners: z.array(
    z.object({
      id: z.union([z.number(), z.bigint()]).transform(String),
      name: z.string(),
      status: z.string(),
      busy: z.boolean(),
    }),
  ),
});
type GithubRunner = z.output<typeof page>["runners"][number];

/** GitHub's self-hosted runners of an organisation or repository. */
export function createRunnerLookup(api: GithubApi): RunnerLookup {
  return {
    async alive(owner) {
      try {
        const runners = await api.within(() => allRunners(api, owner));
        // GitHub lists a busy runner as offline while its connection is lost, until it gives up the job.
        return new Set(runners.filter(({ status, busy }) => status === "online" || busy).map(({ name }) => name));
      } catch (error) {
        return { unknown: reasonOf(error) };
      }
    },
  };
}

/** All of them: throws if the list is incomplete. */
async function allRunners(api: GithubApi, owner: string): Promise<GithubRunner[]> {
  const first = await readPages(api, owner);
  // A runner that is removed while pages are read moves the others up, one of them to a page that was already read. The second
  // reading then has it in the middle of a page.
  const second = first.total > PAGE_SIZE ? await readPages(api, owner) : first;
  const runners = new Map([...first.runners, ...second.runners].map((runner) => [runner.id, runner]));
  if (runners.size < second.total) throw new GithubFailure("invalid-answer");
  return [...runners.values()];
}

async function readPages(api: GithubApi, owner: string): Promise<{ runners: GithubRunner[]; total: number }> {
  const isRepository = owner.includes("/");
  const path = [isRepository ? "repos" : "orgs", ...owner.split("/"), "actions", "runners"];
  const permissions = isRepository
    ? ({ administration: "read" } as const)
    : ({ organization_self_hosted_runners: "read" } as const);
  const runners: GithubRunner[] = [];
  for (let number = 1; number <= PAGES_MAX; number++) {
    const answer = await api.get(path, { per_page: String(PAGE_SIZE), page: String(number) }, permissions);
    const { data } = page.safeParse(answer);
    if (!data) throw new GithubFailure("invalid-answer");
    runners.push(...data.runners);
    if (data.runners.length < PAGE_SIZE) return { runners, total: data.total_count };
  }
  throw new GithubFailure("too-many-pages");
}
