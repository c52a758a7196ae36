// Checks the server with the official Inspector's command line over stdio and HTTP, in both eras of the protocol.
//
// For each: what the server says of itself, the list of tools with --strict (no tool's schema may have an error of
// portability), a good call of each component in clients/calls.json, a refused one, and an unknown tool.
//
// Usage: run [--casemate PATH] [--component NAME=FILE[:WIT[:POLICY]]]... [--prepared FOLDER] [--transport NAME]... [--era NAME]...
// Prints a line per check and `N passed, N failed` with the schemas' warnings at the end; exits with 1 if anything failed.

import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Checks, Setup, faults, listening, options, pages, prepared, scratch } from '../node/home.mjs';

const PROTOCOLS = { legacy: '2025-11-25', modern: '2026-07-28' };
/** Milliseconds that one run of the Inspector may take. */
const RUN = 60_000;
/** The Inspector's exit status for a result with isError, and for a tool that the server does not have. */
const IS_ERROR = 5;

const chosen = options({
  transport: { type: 'string', multiple: true, default: ['stdio', 'http'] },
  era: { type: 'string', multiple: true, default: Object.keys(PROTOCOLS) },
});
const checks = new Checks();
const check = checks.check.bind(checks);
const manifest = createRequire(import.meta.url).resolve('@modelcontextprotocol/inspector/package.json');
const program = join(dirname(manifest), 'clients/launcher/build/index.js');
// The Inspector keeps its settings below the home directory.
const home = scratch('inspector');
let warnings = '';

/** Runs the Inspector once; its answer as JSON where there is one. */
function inspect(target, era, words) {
  const run = spawn(process.execPath, [program, '--cli', ...target.options, '--protocol-era', era, '--format', 'json', ...words, ...target.server], {
    env: { PATH: process.env.PATH, HOME: home },
    cwd: home,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: RUN,
    killSignal: 'SIGKILL',
  });
  let out = '';
  let err = '';
  run.stdout.on('data', (data) => (out += data));
  run.stderr.on('data', (data) => (err += data));
  return new Promise((done) => {
    run.once('close', (status, signal) => {
      let answer;
      try {
        answer = JSON.parse(out).result;
      } catch {
        // What it printed is shown where the check fails.
      }
      done({ status: status ?? signal, answer, out, err });
    });
  });
}

async function conversation(setup, target, era, address) {
  const about = await inspect(target, era, ['--method', 'initialize']);
  const protocol = about.answer?.protocolVersion;
  check(`the protocol is ${PROTOCOLS[era]}`, about.status === 0 && protocol === PROTOCOLS[era], `${about.out}${about.err}`);

  const listed = await inspect(target, era, ['--method', 'tools/list', '--strict']);
  const names = listed.answer?.tools?.map(({ name }) => name) ?? [];
  const table = setup.calls(address);
  const wanted = new Set(Object.values(table).flatMap((calls) => calls.map(({ tool }) => tool)));
  check(`tools/list lists the ${wanted.size} tools`, new Set(names).symmetricDifference(wanted).size === 0, names.length ? names : listed.err);
  const summary = /^(\d+) errors?, \d+ warnings? across \d+ tools?\./m.exec(listed.err);
  check('no schema has an error of portability', listed.status === 0 && summary?.[1] === '0', `status ${listed.status}: ${summary?.[0] ?? listed.err}`);
  warnings = summary?.[0] ?? warnings;

  for (const calls of Object.values(table)) {
    const good = calls.find((each) => !each.cancelled && !each.error && !each.denied);
    const { status, answer, err } = await call(target, era, good);
    check(`${good.tool} returns a result`, status === 0, `status ${status}: ${err}`);
    const wrong = faults(good, answer?.structuredContent);
    check('… the right one', wrong.length === 0, wrong);
  }
  const denied = table.notes.find((each) => each.denied);
  const { status, out } = await call(target, era, denied);
  check(`${denied.tool} is refused`, status === IS_ERROR, `status ${status}`);
  check("… with a block of Casemate's own", out.includes('Casemate refused: ') && out.includes(`(${denied.denied})`), out);
  const unknown = await call(target, era, { tool: 'notes_fly', arguments: {} });
  check('an unknown tool is said to be unknown', unknown.status === IS_ERROR && unknown.err.includes('tool_not_found'), unknown.err);
}

function call(target, era, { tool, arguments: args }) {
  return inspect(target, era, ['--method', 'tools/call', '--tool-name', tool, '--tool-args-json', JSON.stringify(args)]);
}

/** One conversation over one transport. */
async function talk(setup, transport, era, address) {
  setup.letReach(address);
  if (transport === 'stdio') {
    const server = [setup.binary, ...setup.serve()];
    // The Inspector hands the server an environment of its own making.
    return conversation(setup, { options: ['--transport', 'stdio', '-e', `CASEMATE_HOME=${setup.home}`], server }, era, address);
  }
  const server = await listening(setup);
  try {
    await conversation(setup, { options: ['--transport', 'http', '--server-url', server.address], server: [] }, era, address);
  } finally {
    await server.stop();
  }
}

const address = await pages(chosen);
checks.section = 'home';
let from;
await checks.attempt('the components are installed', 400, () => (from = prepared(chosen)));
for (const transport of from === undefined ? [] : chosen.transport) {
  for (const era of chosen.era) {
    checks.section = `${transport} ${era}`;
    await checks.attempt('the conversation goes on to its end', 400, async () => {
      const setup = new Setup(chosen, from);
      await talk(setup, transport, era, address);
      setup.remove();
    });
  }
}
checks.end(`; schemas: ${warnings}`);
