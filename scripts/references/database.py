"""docs/reference/database.md: every table, who may do what with its rows, and the functions behind them."""

from collections.abc import Iterable

import asyncpg

from scripts.references.writing import cell, table

HEAD = """\
# Database

What the migrations make, read from a migrated database. Schema `public` holds what users own: row level security
is on and forced for each table, and a row is its owner's alone. Schema `private` holds what only functions may touch,
schema `administration` the views that an operator reads in the dashboard.
The roles are those of Supabase; [security](../security.md) says why.
"""
TABLES = """
    select c.oid, n.nspname as schema, c.relname as name, c.relkind = 'v' as is_view, obj_description(c.oid) as words
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname in ('public', 'private', 'administration') and c.relkind in ('r', 'p', 'v')
    order by n.nspname desc, c.relname
"""
COLUMNS = """
    select a.attname as name, format_type(a.atttypid, a.atttypmod) as kind, not a.attnotnull as may_be_null,
           (select string_agg(format('%s.%s', f.relname, b.attname), ', ' order by f.relname)
            from pg_constraint as k
            join pg_class as f on f.oid = k.confrelid
            join pg_attribute as b on b.attrelid = f.oid and b.attnum = k.confkey[array_position(k.conkey, a.attnum)]
            where k.contype = 'f' and k.conrelid = a.attrelid and a.attnum = any (k.conkey)) as parent
    from pg_attribute as a
    where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped order by a.attnum
"""
POLICIES = "select polname as name from pg_policy where polrelid = $1 order by polname"
GRANTS = """
    select grantee, string_agg(privilege_type, ', ' order by privilege_type) as may
    from (select case when g.grantee = 0 then 'public' else g.grantee::regrole::text end as grantee,
                 lower(g.privilege_type) as privilege_type
          from pg_class, aclexplode(relacl) as g where oid = $1
          union
          select g.grantee::regrole::text, lower(g.privilege_type) || ' of columns'
          from pg_attribute, aclexplode(attacl) as g where attrelid = $1) as granted
    where grantee not in ('postgres', 'supabase_admin', 'dashboard_user')
    group by grantee order by grantee
"""
FUNCTIONS = """
    select n.nspname as schema, p.proname as name, pg_get_function_identity_arguments(p.oid) as arguments,
           coalesce((select string_agg(distinct g.grantee::regrole::text, ', ')
                     from aclexplode(p.proacl) as g
                     where g.grantee <> 0
                       and g.grantee::regrole::text not in ('postgres', 'supabase_admin', 'dashboard_user')), '') as who
    from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
    where n.nspname in ('public', 'private') and p.prorettype <> 'trigger'::regtype
    order by n.nspname desc, p.proname, 3
"""


async def page(dsn: str) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        tables = [await _table(connection, one) for one in await connection.fetch(TABLES)]
        functions = await connection.fetch(FUNCTIONS)
    finally:
        await connection.close()
    return "\n".join([HEAD, *tables, "## Functions\n", _functions(functions), ""])


async def _table(connection: "asyncpg.Connection[asyncpg.Record]", one: asyncpg.Record) -> str:
    columns = [
        (f"`{row['name']}`", row["kind"] + (", may be null" if row["may_be_null"] else ""), _of(row["parent"]))
        for row in await connection.fetch(COLUMNS, one["oid"])
    ]
    grants = [f"{row['grantee']}: {row['may']}" for row in await connection.fetch(GRANTS, one["oid"])]
    policies = [row["name"] for row in await connection.fetch(POLICIES, one["oid"])]
    parts = [f"## {one['schema']}.{one['name']}", "", *([one["words"], ""] if one["words"] else [])]
    parts += [table(("column", "type", "of"), columns), ""]
    parts += [f"Rights: {'; '.join(grants) or 'none but the owner'}.", ""]
    if policies:
        parts += [f"Policies: {'; '.join(policies)}.", ""]
    return "\n".join(parts)


def _of(parent: str | None) -> str:
    return f"`{parent}`" if parent else ""


def _functions(functions: Iterable[asyncpg.Record]) -> str:
    rows = [
        (f"`{one['schema']}.{one['name']}`", cell(one["arguments"]), one["who"] or "functions alone")
        for one in functions
    ]
    return table(("function", "arguments", "may be called by"), rows)
