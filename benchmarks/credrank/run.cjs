// Runs SourceCred's CredRank on one graph of works, authors and citations, and prints how long.
//
//     node run.cjs PACKAGE GRAPH.json
//
// PACKAGE is the unpacked npm package `sourcecred`. GRAPH.json holds, for each work, its `units`
// (cred that it mints), `author` (a number) and `week`, and `cites` as [work, cited, weight].
// Only `credrank` itself is timed: the graph and the ledger are built before.
"use strict";

const fs = require("fs");
const path = require("path");
const Module = require("module");

// The package's bundle asks for these at load, and CredRank uses neither: a native SQLite, and an
// optional part of an HTTP client.
const UNUSED = new Set(["better-sqlite3", "encoding"]);
const load = Module._load;
Module._load = (name, ...rest) => (UNUSED.has(name) ? {} : load(name, ...rest));

const WEEK_MS = 7 * 24 * 3600 * 1000;
const START_MS = Date.UTC(2023, 0, 1);

function build({core, ledger: ledgers}, {units, author, week, cites}) {
  const {NodeAddress, EdgeAddress, Graph} = core.graph;
  const ledger = new ledgers.ledger.Ledger();
  const authors = new Map();
  for (const a of new Set(author)) {
    const id = ledger.createIdentity("USER", `contributor-${a}`);
    authors.set(a, ledger.account(id).identity.address);
  }
  const graph = new Graph();
  for (const [a, address] of authors) {
    graph.addNode({address, description: `contributor-${a}`, timestampMs: null});
  }
  const weights = core.weights.empty();
  const at = (i) => START_MS + week[i] * WEEK_MS;
  const works = units.map((_, i) => NodeAddress.fromParts(["danseo", "work", String(i)]));
  const join = (kind, i, k, dst, w) => {
    const address = EdgeAddress.fromParts(["danseo", kind, String(i), String(k)]);
    graph.addEdge({address, src: works[i], dst, timestampMs: at(i)});
    weights.edgeWeights.set(address, {forwards: w, backwards: 0});
  };
  units.forEach((mint, i) => {
    graph.addNode({address: works[i], description: `work ${i}`, timestampMs: at(i)});
    weights.nodeWeights.set(works[i], mint);
    join("by", i, author[i], authors.get(author[i]), 1);
  });
  for (const [i, k, w] of cites) join("cites", i, k, works[k], w / 1e9);
  return {ledger, pluginGraphs: [{graph, weights}], weightOverrides: core.weights.empty()};
}

async function main([folder, file]) {
  const {sourcecred} = require(path.resolve(folder, "dist", "server", "api.js"));
  const input = JSON.parse(fs.readFileSync(file, "utf8"));
  const {ledger, pluginGraphs, weightOverrides} = build(sourcecred, input);
  const start = process.hrtime.bigint();
  const {credGraph} = await sourcecred.api.credrank.credrank({
    pluginGraphs,
    ledger,
    weightOverrides,
    dependencies: [],
    pluginsBudget: null,
    personalAttributions: [],
  });
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const people = Array.from(credGraph.participants());
  const cred = people.reduce((sum, p) => sum + p.cred, 0);
  process.stdout.write(JSON.stringify({seconds, participants: people.length, cred}) + "\n");
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
