// Checks the server with the official TypeScript client over stdio and HTTP: as it comes, which is revision 2025-11-25, and
// with version negotiation, which finds 2026-07-28.
//
// For each it takes a throw-away home, starts `casemate serve` and uses it as a client does: list, make every call of
// clients/calls.json, be denied, send what does not fit, see the list change after a grant on the command line, take a call back.
//
// Usage: run [--casemate PATH] [--component NAME=FILE[:WIT[:POLICY]]]... [--prepared FOLDER] [--transport NAME]... [--negotiation NAME]...
// Prints a line per check and `N passed, N failed` at the end; exits with 1 if anything failed.

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/client/validators/ajv';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Checks, Setup, computed, faults, listening, options, pages, prepared, until } from '../node/home.mjs';

const PROTOCOLS = { default: '2025-11-25', auto: '2026-07-28' };
/** Milliseconds that a grant may take to reach a running server. */
const WITHIN = 1000;
/** Seconds that one conversation may take. */
const CONVERSATION = 240;

const chosen = options({
  transport: { type: 'string', multiple: true, default: ['stdio', 'http'] },
  negotiation: { type: 'string', multiple: true, default: Object.keys(PROTOCOLS) },
});
const checks = new Checks();
const check = checks.check.bind(checks);
const validators = new AjvJsonSchemaValidator();

const texts = (result) => result.content.filter((block) => block.type === 'text').map((block) => block.text);

/** Calls a tool; tells whether its structured result fits the schema in the list, by a validator of our own choice. */
async function call(client, tools, name, args) {
  const result = await client.callTool({ name, arguments: args });
  const fits = validators.getValidator(tools.get(name).outputSchema)(result.structuredContent);
  check(`${name} returns what fits its schema`, result.structuredContent !== undefined && fits.valid, fits.errorMessage ?? texts(result));
  return result;
}

/** Every call of clients/calls.json that the installed components have. */
async function table(client, tools, setup, address) {
  for (const calls of Object.values(setup.calls(address))) {
    for (const wanted of calls) {
      if (wanted.cancelled) {
        await takenBack(client, setup, wanted.tool);
        continue;
      }
      const result = await call(client, tools, wanted.tool, wanted.arguments);
      const error = Boolean(wanted.error ?? wanted.denied);
      check(`… ${error ? 'an error' : 'a result'}`, Boolean(result.isError) === error, texts(result));
      const wrong = faults(wanted, result.structuredContent);
      check('… the right one', wrong.length === 0, wrong);
      if (wanted.denied) {
        const said = texts(result).filter((text) => text.startsWith('Casemate refused: ') && text.includes(`(${wanted.denied})`));
        check(`… with a block of Casemate's own, ${wanted.denied}`, said.length === 1, texts(result));
        const told = JSON.stringify(result._meta?.['casemate/denials'] ?? null);
        check('… and so does _meta', told.includes(wanted.denied), told);
      }
    }
  }
}

/** A call that computes without end stops when its caller takes it back. */
async function takenBack(client, setup, name) {
  const before = computed();
  const abort = new AbortController();
  let ended = false;
  const running = client.callTool({ name, arguments: {} }, { signal: abort.signal }).then(
    (result) => ({ result }),
    (error) => ({ error }),
  );
  void running.then(() => (ended = true));
  check(`${name} computes`, await until(() => ended || computed() > before + 0.1, 30_000));
  abort.abort();
  const { error, result } = await running;
  check('… until it is taken back', error !== undefined, result);
  const outcomes = () => setup.records().filter((record) => record.tool === name).map((record) => record.outcome);
  await until(() => outcomes().length > 0, 10_000);
  check('… and is stopped when it is taken back', outcomes().join() === 'cancelled', outcomes());
  const answer = await client.callTool({ name: 'notes_current_time', arguments: { zone: 'UTC' } });
  check('… and the conversation goes on', !answer.isError, texts(answer));
}

/** What the example in Rust is asked beyond the table. */
async function notes(client, tools, setup, protocol) {
  for (const [what, args, field] of [
    ['a missing one', { path: '/workspace/todo.md' }, 'first'],
    ['a wrong type', { path: 7, first: 1 }, 'arguments.path'],
    ['an extra one', { path: '/workspace/todo.md', first: 1, frist: 2 }, 'frist'],
  ]) {
    const result = await client.callTool({ name: 'notes_read_lines', arguments: args });
    const said = texts(result).join(' ');
    check(`${what} is a tool error that names ${field}`, result.isError === true && said.includes(field), said);
  }
  try {
    check('an unknown tool is a protocol error', false, await client.callTool({ name: 'notes_fly', arguments: {} }));
  } catch (error) {
    check('an unknown tool is a protocol error', error.code === -32602, `${error.code} ${error.message}`);
  }

  let told;
  const news = new Promise((resolve) => (told = resolve));
  client.setNotificationHandler('notifications/tools/list_changed', () => told(Date.now()));
  const subscription = protocol >= '2026-07-28' ? await client.listen({ toolsListChanged: true }) : undefined;
  const granted = setup.casemate('grant', 'notes', 'write', 'fs://workspace/**');
  const began = Date.now();
  check('`casemate grant` succeeds', granted.status === 0, granted.stderr);
  const late = new Promise((resolve) => setTimeout(() => resolve(Infinity), 5000).unref());
  const took = (await Promise.race([news, late])) - began;
  check(`list_changed comes within ${WITHIN} ms`, took < WITHIN, `${took} ms`);
  await subscription?.close();
  const listed = await client.listTools(undefined, { cacheMode: 'refresh' });
  const hints = listed.tools.filter((tool) => tool.name.startsWith('notes_')).map((tool) => tool.annotations?.readOnlyHint);
  check('… and the tools are no longer said to be read-only', hints.length > 0 && !hints.includes(true), hints);

  const note = { path: '/workspace/idea.md', text: 'grow mint\n' };
  const written = await call(client, tools, 'notes_save_note', note);
  check('… which writes once it may', !written.isError && readFileSync(join(setup.workspace, 'idea.md'), 'utf8') === note.text, texts(written));

  const zones = Array.from({ length: 16 }, (_, index) => (index % 2 === 0 ? 'UTC' : 'Asia/Tokyo'));
  const several = await Promise.all(zones.map((zone) => client.callTool({ name: 'notes_current_time', arguments: { zone } })));
  const right = several.every((result, index) => result.structuredContent.result.zone === zones[index]);
  check('sixteen calls at once are answered each with its own', right);
}

async function conversation(setup, transport, negotiation, address) {
  const client = new Client(
    { name: 'casemate-check', version: '0' },
    negotiation === 'default' ? {} : { versionNegotiation: { mode: negotiation } },
  );
  await client.connect(transport);
  try {
    const protocol = client.getNegotiatedProtocolVersion();
    check(`the protocol is ${PROTOCOLS[negotiation]}`, protocol === PROTOCOLS[negotiation], protocol);
    check('the server says that it is casemate', client.getServerVersion()?.name === 'casemate', client.getServerVersion());
    check('it tells what a refusal means', client.getInstructions()?.includes('Casemate refused'), client.getInstructions());

    const listed = (await client.listTools()).tools;
    const tools = new Map(listed.map((tool) => [tool.name, tool]));
    const wanted = new Set(Object.values(setup.calls(address)).flatMap((calls) => calls.map(({ tool }) => tool)));
    const missing = [...new Set(wanted).symmetricDifference(tools)];
    if (!check(`tools/list lists the ${wanted.size} tools`, missing.length === 0, missing)) return;
    check('every tool has a description and a title', listed.every((tool) => tool.description && tool.title));
    const hints = listed.filter((tool) => tool.name.startsWith('notes_')).map((tool) => tool.annotations?.readOnlyHint);
    check('what can only read is said to be read-only', hints.every((hint) => hint === true), hints);

    await table(client, tools, setup, address);
    await notes(client, tools, setup, protocol);
  } finally {
    await client.close();
  }
}

/** One conversation over one transport. */
async function talk(setup, transport, negotiation, address) {
  setup.letReach(address);
  if (transport === 'stdio') {
    const server = { command: setup.binary, args: setup.serve(), env: setup.environment(), cwd: setup.place, stderr: 'ignore' };
    return conversation(setup, new StdioClientTransport(server), negotiation, address);
  }
  const server = await listening(setup);
  try {
    await conversation(setup, new StreamableHTTPClientTransport(new URL(server.address)), negotiation, address);
  } finally {
    await server.stop();
  }
}

const address = await pages(chosen);
checks.section = 'home';
let from;
await checks.attempt('the components are installed', 400, () => (from = prepared(chosen)));
for (const transport of from === undefined ? [] : chosen.transport) {
  for (const negotiation of chosen.negotiation) {
    checks.section = `${transport} ${negotiation}`;
    await checks.attempt('the conversation goes on to its end', CONVERSATION, async () => {
      const setup = new Setup(chosen, from);
      await talk(setup, transport, negotiation, address);
      setup.remove();
    });
  }
}
checks.end();
