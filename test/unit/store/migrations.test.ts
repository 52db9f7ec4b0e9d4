/** The migrated database and the drizzle schema say the same; migrations apply whole, once, in order. */

import { afterEach, beforeEach, expect, test } from 'bun:test';
import { is } from 'drizzle-orm';
import { getTableConfig, SQLiteTable } from 'drizzle-orm/sqlite-core';
import { Connection } from '../../../src/store/connection.ts';
import { migrate, migrations } from '../../../src/store/migrations.ts';
import * as schema from '../../../src/store/schema.ts';

let connection: Connection;
beforeEach(() => {
  connection = new Connection(':memory:');
});
afterEach(() => connection.close());

function namesOf(text: string, ...values: string[]): string[] {
  return connection
    .rows<{ name: string }>(text, ...values)
    .map(({ name }) => name)
    .sort();
}

test('migrate() makes exactly the tables, columns and indexes of the schema', () => {
  migrate(connection);
  const tables = Object.values(schema)
    .filter((value) => is(value, SQLiteTable))
    .map((table) => getTableConfig(table as SQLiteTable));
  expect(namesOf(`SELECT name FROM sqlite_schema WHERE type = 'table'`)).toEqual(tables.map(({ name }) => name).sort());
  for (const { name, columns, indexes, foreignKeys, primaryKeys } of tables) {
    const made = connection.rows<{ name: string; type: string; notnull: number; pk: number }>(
      'SELECT name, type, "notnull", pk FROM pragma_table_info(?)',
      name,
    );
    const keys = primaryKeys.flatMap((key) => key.columns.map((column) => column.name));
    // Not in order: what a migration adds to a table comes last, and in the schema it is where it belongs.
    const found = made.map(({ name, type, notnull, pk }) => [name, type.toLowerCase(), notnull === 1, pk > 0]);
    const meant = columns.map((column) => [
      column.name,
      column.getSQLType(),
      column.notNull,
      column.primary || keys.includes(column.name),
    ]);
    expect(found.sort()).toEqual(meant.sort());
    expect(namesOf(`SELECT name FROM pragma_index_list(?) WHERE origin = 'c'`, name)).toEqual(
      indexes.map((index) => index.config.name).sort(),
    );
    expect(connection.rows('SELECT DISTINCT id FROM pragma_foreign_key_list(?)', name)).toHaveLength(
      foreignKeys.length,
    );
  }
});

test('migrate() applies only what is missing, and nothing the second time', () => {
  expect(migrate(connection, ['CREATE TABLE one (a)'])).toBe(1);
  const list = ['CREATE TABLE one (a)', 'ALTER TABLE one ADD b; CREATE TABLE two (c)'];
  expect(migrate(connection, list)).toBe(1);
  expect(connection.pragma('user_version')).toBe(2);
  expect(namesOf(`SELECT name FROM pragma_table_info('one')`)).toEqual(['a', 'b']);
  expect(migrate(connection, list)).toBe(0);
});

test('migrate() leaves nothing of it all when one of several fails', () => {
  migrate(connection);
  const list = [...migrations, 'CREATE TABLE whole (a)', 'CREATE TABLE half (a); CREATE TABLE tasks (a)'];
  expect(() => migrate(connection, list)).toThrow('already exists');
  expect(connection.pragma('user_version')).toBe(migrations.length);
  expect(namesOf(`SELECT name FROM sqlite_schema WHERE name IN ('half', 'whole')`)).toEqual([]);
});
