// The corpus, counted by ccusage and as it was served, case by case. Needs node and the network:
//   just compare-usage        or   node tests/meter/compare.mjs [version of ccusage]
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const version = process.argv[2] ?? '17';
const here = dirname(fileURLToPath(import.meta.url));
const corpus = join(here, 'projects', 'corpus');
const lines = readFileSync(join(here, 'expected.txt'), 'utf8').split('\n').filter((l) => l && !l.startsWith('#'));

console.log(`| case | served, and comm-node | ccusage ${version} |\n|---|---|---|`);
for (const line of lines) {
    const [name, input, output, five, hour, read] = line.split(' ').map((w, i) => (i ? Number(w) : w));
    const dir = mkdtempSync(join(tmpdir(), 'compare-'));
    const project = join(dir, 'projects', 'p');
    mkdirSync(project, { recursive: true });
    // A copy is only seen to be one beside its origin.
    const files = name.startsWith('replayed') ? ['replayed-origin', name] : [name];
    for (const file of files) {
        cpSync(join(corpus, `${file}.jsonl`), join(project, `${file}.jsonl`));
        if (existsSync(join(corpus, file))) cpSync(join(corpus, file), join(project, file), { recursive: true });
    }
    let said = 'failed';
    try {
        const args = ['--yes', `ccusage@${version}`, 'daily', '--json', '--offline'];
        const env = { ...process.env, CLAUDE_CONFIG_DIR: dir };
        const { totals } = JSON.parse(execFileSync('npx', args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
        said = [totals.inputTokens, totals.outputTokens, totals.cacheCreationTokens, totals.cacheReadTokens].join(' ');
    } catch {}
    rmSync(dir, { recursive: true });
    const own = files.map((f) => lines.find((l) => l.startsWith(`${f} `)).split(' ').slice(1).map(Number));
    const sum = [...new Set(files)].map((f) => own[files.indexOf(f)]).reduce((a, b) => a.map((n, i) => n + b[i]));
    console.log(`| ${name} | ${[sum[0], sum[1], sum[2] + sum[3], sum[4]].join(' ')} | ${said} |`);
}
