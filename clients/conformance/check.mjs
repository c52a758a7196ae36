// Runs the official conformance suite against `casemate serve --http`, for the revisions 2026-07-28 and 2025-11-25.
//
// The tools that the suite calls by name are those of clients/fixture, installed as `test`. What a server that offers tools and
// nothing else cannot meet stands in expected-failures-REVISION.yml, each entry with its reason; an entry that passes
// fails the run, and so does any other failure or warning of a scenario that the revision requires.
//
// Usage: run [--casemate PATH] [--prepared FOLDER] [--revision NAME]... [--url ADDRESS] [--verbose]
// `--url` tries another server, for which the expected failures are not made. Prints what the suite prints and a line with the figures at
// the end; exits with 1 unless all is as expected.

import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Checks, Setup, listening, options, prepared, scratch } from '../node/home.mjs';

/** Milliseconds for one scenario, and for the whole suite at one revision. */
const SCENARIO = 30_000;
const SUITE = 300_000;
/** What the suite calls when the list of tools is to change. */
const TRIGGER = 'test_trigger_tool_change';

const chosen = options({
  revision: { type: 'string', multiple: true, default: ['2026-07-28', '2025-11-25'] },
  url: { type: 'string' },
  verbose: { type: 'boolean', default: false },
});
const checks = new Checks();
const check = checks.check.bind(checks);
const here = join(chosen.root, 'clients/conformance');
const suite = join(dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json')), 'dist/index.js');
const figures = [];

/** The committed fixture is what its sources make. */
function fixture() {
  const built = join(scratch('fixture'), 'fixture.wasm');
  const build = spawnSync(join(chosen.root, 'clients/fixture/build'), [built], { encoding: 'utf8', timeout: 180_000 });
  if (!check('the fixture can be built', build.status === 0, build.error?.message ?? build.stderr)) return;
  const same = readFileSync(built).equals(readFileSync(join(chosen.root, 'clients/fixture/fixture.wasm')));
  check('fixture.wasm is what its sources make', same);
}

/**
 * Changes the list of tools, as a person would, each time the suite's tool for that was called: another policy is moved into
 * place, under which the fixture may write, so that its tools are no longer said to be read-only.
 */
function changes(setup) {
  const policy = join(setup.home, 'policies/test.yaml');
  const closed = readFileSync(policy, 'utf8');
  const open = closed.replace('permissions:', 'permissions:\n  storage: { allow: [{ uri: "fs://workspace/drafts/**", access: ["write"] }] }');
  let seen = 0;
  const timer = setInterval(() => {
    const calls = setup.records().filter((record) => record.tool === TRIGGER).length;
    if (calls === seen) return;
    seen = calls;
    writeFileSync(`${policy}.new`, seen % 2 === 1 ? open : closed);
    renameSync(`${policy}.new`, policy);
  }, 20);
  return () => clearInterval(timer);
}

/** Runs the suite; its output and exit status. */
function run(address, revision, folder, expected) {
  const words = [suite, 'server', '--url', address, '--requirements', revision, '--output-dir', folder, '--timeout', `${SCENARIO}`];
  if (expected) words.push('--expected-failures', expected);
  const process_ = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'], timeout: SUITE, killSignal: 'SIGKILL' });
  let out = '';
  for (const stream of [process_.stdout, process_.stderr]) {
    stream.on('data', (data) => {
      out += data;
      if (chosen.verbose) process.stdout.write(data);
    });
  }
  return new Promise((done) => process_.once('close', (status, signal) => done({ status: status ?? signal, out })));
}

/** The scenarios of the servers that a revision requires, as the package lists them. */
function required(revision) {
  const listed = spawnSync(process.execPath, [suite, 'list', '--server', '--requirements', revision], { encoding: 'utf8', timeout: 60_000 });
  const section = listed.stdout.split(/^Server scenarios.*$/m)[1]?.split(/^\S/m)[0] ?? '';
  return [...section.matchAll(/^ {2}- (\S+)$/gm)].map((match) => match[1]);
}

/** Figures of one revision, from what the suite has written. */
function count(revision, folder) {
  const names = required(revision);
  check(`the revision names its scenarios, ${names.length}`, names.length > 0);
  const total = { scenarios: names.length, whole: 0, passed: 0, failing: new Set() };
  for (const name of names) {
    const found = readdirSync(folder).filter((each) => each.startsWith(`server-${name}-`) && /^\d{4}-/.test(each.slice(`server-${name}-`.length)));
    if (found.length !== 1) {
      check(`${name} was run once`, false, found);
      continue;
    }
    const results = JSON.parse(readFileSync(join(folder, found[0], 'checks.json'), 'utf8'));
    const failing = results.filter(({ status }) => status === 'FAILURE' || status === 'WARNING');
    for (const { id } of failing) total.failing.add(`${name}:${id}`);
    total.passed += results.filter(({ status }) => status === 'SUCCESS').length;
    if (failing.length === 0) total.whole += 1;
  }
  return total;
}

async function revision(name, from) {
  const expected = join(here, `expected-failures-${name}.yml`);
  const folder = scratch('conformance');
  let result;
  if (chosen.url !== undefined) {
    result = await run(chosen.url, name, folder);
  } else {
    const setup = new Setup(chosen, from);
    const server = await listening(setup);
    const stop = changes(setup);
    try {
      result = await run(server.address, name, folder, expected);
    } finally {
      stop();
      await server.stop();
      setup.remove();
    }
  }
  const total = count(name, folder);
  const summary = result.out.slice(Math.max(0, result.out.lastIndexOf('=== SUMMARY ===')));
  console.log(summary.trim());
  let held = check('the suite says that what fails is expected to', result.status === 0, `status ${result.status}`);
  if (chosen.url === undefined) {
    // The suite takes an entry for expected that names no check at all.
    const entries = new Set(readFileSync(expected, 'utf8').match(/^ {2}- \S+$/gm)?.map((line) => line.slice(4)));
    const others = [...entries.symmetricDifference(total.failing)];
    held = check('each entry is a check that failed, and each that failed is an entry', others.length === 0, others) && held;
  }
  const outcome = `${total.whole} of ${total.scenarios} scenarios whole, ${total.passed} checks passed, ${total.failing.size} not`;
  figures.push(`${name}: ${outcome}, ${held ? 'all of them expected' : 'NOT as expected'}`);
}

checks.section = 'fixture';
await checks.attempt('the fixture is looked at', 300, fixture);
let from;
checks.section = 'home';
if (chosen.url === undefined) await checks.attempt('the components are installed', 400, () => (from = prepared(chosen)));
for (const name of from === undefined && chosen.url === undefined ? [] : chosen.revision) {
  checks.section = name;
  await checks.attempt('the suite runs to its end', 400, () => revision(name, from));
}
checks.end(`; ${figures.join('; ')}`);
