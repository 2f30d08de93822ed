import { writeFile } from "node:fs/promises";
import { DOCUMENT, readResults, text } from "./table.mjs";

await writeFile(DOCUMENT, text(await readResults()));
