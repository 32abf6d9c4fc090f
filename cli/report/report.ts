import { type Answers, computeAnswers } from "./answers.ts";
import { renderCsv } from "./csv.ts";
import { openDatabase } from "./database.ts";
import { loadEvents } from "./load.ts";
import { renderMarkdown } from "./markdown.ts";
import type { ReportOptions } from "./options.ts";
import { renderPage } from "./page.ts";
import { filesInBucket, filesInFolder, type Progress } from "./read-archive.ts";
import { createS3Client } from "./s3-client.ts";
import { sectionsOf } from "./sections.ts";

export type ReportFormat = "html" | "json" | "csv" | "markdown";

/** Reads the archive, computes all answers and returns the report as text. Throws an error with a message for the user if it cannot. */
export async function report(options: ReportOptions, format: ReportFormat, progress?: Progress): Promise<string> {
  const files = await archiveFiles(options, progress);
  const answers = await answersFrom(files, options);
  return render(answers, format);
}

/** The numbers of a report from files of the archive. */
export async function answersFrom(files: readonly string[], options: ReportOptions): Promise<Answers> {
  const database = await openDatabase();
  try {
    const loaded = await loadEvents(database, files, options);
    return await computeAnswers(database, loaded, options);
  } finally {
    await database.close();
  }
}

/** Answers in one of the formats. */
export async function render(answers: Answers, format: ReportFormat): Promise<string> {
  if (format === "json") return renderJson(answers);
  const sections = sectionsOf(answers);
  if (format === "csv") return renderCsv(sections);
  return format === "markdown" ? renderMarkdown(answers, sections) : renderPage(answers, sections);
}

async function archiveFiles(options: ReportOptions, progress: Progress | undefined): Promise<string[]> {
  const { archive, cacheFolder } = options;
  if ("folder" in archive) return filesInFolder(archive.folder, options);
  const s3 = createS3Client(archive);
  try {
    return await filesInBucket(s3, archive.bucket, cacheFolder, options, progress);
  } finally {
    s3.destroy();
  }
}

/** Characters that are not seen are escaped: JSON means the same with them and without. */
function renderJson(answers: Answers): string {
  const escaped = (character: string) =>
    Array.from(
      { length: character.length },
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`,
    ).join("");
  return `${JSON.stringify(answers, undefined, 2).replaceAll(/[<>&\u007f-\u009f\u2028\u2029]|\p{Cf}/gu, escaped)}\n`;
}
