"""Rules for every table and function of ours, read from the catalogue: what is new is held to them at once."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.cluster import FreshDatabase

EXPOSED = ("public",)
OURS = (*EXPOSED, "private", "administration")
CLIENTS = ("anon", "authenticated")
# They answer whoever has a link to a shared result, and nobody else.
FOR_VISITORS = ("private.read_share(bytea)", "private.read_share_parts(bytea,text,integer,integer)")
# Its lines outlive the accounts that they tell of, and nobody is granted anything on it.
OF_NO_ACCOUNT = ("audit_log",)
VERBS = {"SELECT": "r", "INSERT": "a", "UPDATE": "w", "DELETE": "d"}

GRANTS = """
    select c.oid::regclass::text as table, role.rolname as role, verb
    from pg_class c
    cross join unnest($2::text[]) as role (rolname)
    cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) as verb
    where c.relnamespace = any($1::regnamespace[]) and c.relkind in ('r', 'p', 'v', 'm', 'f')
      and case verb when 'DELETE' then has_table_privilege(role.rolname, c.oid, verb)
                    else has_any_column_privilege(role.rolname, c.oid, verb) end
    order by 1, 2, 3
"""


@pytest.fixture(scope="module")
async def catalogue(database: FreshDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn("postgres"))
    yield connection
    await connection.close()


async def names(catalogue: asyncpg.Connection, query: str, *arguments: object) -> list[str]:
    return [row[0] for row in await catalogue.fetch(query, *arguments)]


async def test_there_are_tables_to_speak_of(catalogue: asyncpg.Connection) -> None:
    tables = await names(catalogue, "select tablename::text from pg_tables where schemaname = any($1)", list(EXPOSED))
    assert {"profiles", "idempotency_keys", "tasks", "task_events"} <= set(tables)


async def test_every_table_has_row_security_enabled_and_forced(catalogue: asyncpg.Connection) -> None:
    assert not await names(
        catalogue,
        """select oid::regclass::text from pg_class where relnamespace = any($1::regnamespace[])
           and relkind in ('r', 'p') and not (relrowsecurity and relforcerowsecurity)""",
        list(OURS),
    )


async def test_every_exposed_table_belongs_to_users(catalogue: asyncpg.Connection) -> None:
    """A user_id (null means housekeeping, or shared series) that leads an index and goes with its account."""
    tables = await names(
        catalogue,
        """select c.oid::regclass::text from pg_class c where c.relnamespace = any($1::regnamespace[])
           and c.relkind in ('r', 'p') and c.relname <> all($2)
           and not exists (
               select from pg_attribute a
               join pg_index i on i.indrelid = c.oid and i.indkey[0] = a.attnum and i.indpred is null
               join pg_constraint k on k.conrelid = c.oid and k.contype = 'f' and a.attnum = any(k.conkey)
               where a.attrelid = c.oid and a.attname = 'user_id' and a.atttypid = 'uuid'::regtype
                 and (a.attnotnull or c.oid in ('public.tasks'::regclass, 'public.series'::regclass))
                 and k.confdeltype = 'c')""",
        list(EXPOSED),
        list(OF_NO_ACCOUNT),
    )
    assert not tables, f"no user_id uuid not null, leading an index, with an on delete cascade: {tables}"


async def test_a_granted_verb_has_exactly_one_policy_for_that_role(catalogue: asyncpg.Connection) -> None:
    policies = {
        (row["table"], role, verb): row["count"]
        for row in await catalogue.fetch(
            """select polrelid::regclass::text as table, polcmd::text as verb, count(*),
                      array_agg(distinct role.rolname)::text[] as roles
               from pg_policy, unnest(polroles) as r join pg_roles role on role.oid = r
               where polpermissive group by 1, 2"""
        )
        for role in row["roles"]
        for verb in [row["verb"]]
    }
    for grant in await catalogue.fetch(GRANTS, list(EXPOSED), list(CLIENTS)):
        key = (grant["table"], grant["role"], VERBS[grant["verb"]])
        assert policies.get(key) == 1, f"{grant['verb']} on {key[0]} is granted to {key[1]}, so it needs one policy"


async def test_what_belongs_to_no_account_is_granted_to_nobody(catalogue: asyncpg.Connection) -> None:
    granted = await catalogue.fetch(GRANTS, list(EXPOSED), [*CLIENTS, "service_role", "app_api", "app_worker"])
    assert not [row for row in granted if row["table"] in OF_NO_ACCOUNT]


async def test_every_policy_names_its_user_and_nothing_a_user_can_write(catalogue: asyncpg.Connection) -> None:
    rows = await catalogue.fetch(
        """select polname, polrelid::regclass::text as table, polcmd::text as verb, polroles,
                  pg_get_expr(polqual, polrelid) as reads, pg_get_expr(polwithcheck, polrelid) as writes
           from pg_policy join pg_class on pg_class.oid = polrelid where relnamespace = any($1::regnamespace[])""",
        list(OURS),
    )
    public = 0
    for row in rows:
        where = f"{row['table']}: {row['polname']}"
        assert row["verb"] != "*", f"{where} is for all verbs at once"
        assert public not in row["polroles"], f"{where} is for everybody"
        assert (row["reads"] is not None) == (row["verb"] in "rwd"), where
        assert (row["writes"] is not None) == (row["verb"] in "aw"), where
        for expression in filter(None, (row["reads"], row["writes"])):
            assert "SELECT auth.uid()" in expression, f"{where} does not ask once who is asking"
            assert "user_metadata" not in expression, f"{where} trusts what users write themselves"


async def test_nothing_is_granted_to_everybody_or_to_visitors(catalogue: asyncpg.Connection) -> None:
    assert not await names(
        catalogue,
        """select c.oid::regclass || ' ' || acl.privilege_type || ' to ' || coalesce(r.rolname, 'public')
           from pg_class c, aclexplode(c.relacl) acl left join pg_roles r on r.oid = acl.grantee
           where c.relnamespace = any($1::regnamespace[])
             and (acl.grantee = 0 or r.rolname = 'anon' or r.rolname <> 'postgres'
                  and acl.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN'))
        """,
        list(OURS),
    )


async def test_columns_that_the_house_keeps_cannot_be_written_by_users(catalogue: asyncpg.Connection) -> None:
    kept = ("user_id", "created_at", "updated_at", "version", "is_demo")
    assert not await names(
        catalogue,
        """select c.oid::regclass || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
           where c.oid = 'public.profiles'::regclass and a.attname = any($1)
             and has_column_privilege('authenticated', c.oid, a.attnum, 'UPDATE')""",
        list(kept),
    )


async def test_children_point_at_parents_of_the_same_user(catalogue: asyncpg.Connection) -> None:
    """Foreign keys are checked past row security, so one between our tables carries user_id on both ends."""
    assert not await names(
        catalogue,
        """select k.conrelid::regclass || ': ' || k.conname from pg_constraint k
           join pg_class parent on parent.oid = k.confrelid
           where k.contype = 'f' and parent.relnamespace = any($1::regnamespace[])
             and not exists (
                 select from unnest(k.conkey, k.confkey) as pair (child, parent)
                 join pg_attribute a on a.attrelid = k.conrelid and a.attnum = pair.child and a.attname = 'user_id'
                 join pg_attribute b on b.attrelid = k.confrelid and b.attnum = pair.parent and b.attname = 'user_id')
        """,
        list(OURS),
    )


async def test_every_foreign_key_leads_an_index(catalogue: asyncpg.Connection) -> None:
    assert not await names(
        catalogue,
        """select k.conrelid::regclass || ': ' || k.conname from pg_constraint k
           join pg_class c on c.oid = k.conrelid
           where k.contype = 'f' and c.relnamespace = any($1::regnamespace[]) and not exists (
               select from pg_index i where i.indrelid = k.conrelid
               and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)""",
        list(OURS),
    )


async def test_functions_look_at_temporary_names_last_and_are_closed_to_everybody(
    catalogue: asyncpg.Connection,
) -> None:
    rows = await catalogue.fetch(
        """select p.oid::regprocedure::text as name, p.proconfig, p.prosecdef, n.nspname,
                  exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) acl
                          left join pg_roles r on r.oid = acl.grantee
                          where acl.grantee = 0 or r.rolname = 'anon') as is_open
           from pg_proc p join pg_namespace n on n.oid = p.pronamespace
           where n.nspname = any($1)""",
        list(OURS),
    )
    assert rows
    for row in rows:
        # An empty path is not enough: temporary types come first unless pg_temp is named.
        assert "search_path=pg_catalog, pg_temp" in (row["proconfig"] or []), f"{row['name']} can be led astray"
        assert not row["is_open"] or row["name"] in FOR_VISITORS, f"{row['name']} may be called by everybody"
        assert not (row["prosecdef"] and row["nspname"] in EXPOSED), (
            f"{row['name']} lends its rights in an exposed schema"
        )


async def test_views_run_as_whoever_reads_them_and_none_is_materialized(catalogue: asyncpg.Connection) -> None:
    assert not await names(
        catalogue,
        """select oid::regclass::text from pg_class where relnamespace = any($1::regnamespace[])
           and (relkind = 'm' or relkind = 'v' and not coalesce(reloptions @> '{security_invoker=true}', false))""",
        list(OURS),
    )


async def test_the_logins_can_do_nothing_by_themselves(catalogue: asyncpg.Connection) -> None:
    rows = await catalogue.fetch(
        """select rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
                  array(select pg_get_userbyid(m.roleid)::text from pg_auth_members m
                        where m.member = r.oid and m.set_option and not m.inherit_option and not m.admin_option
                        order by 1) as may_become,
                  (select count(*) from pg_auth_members m where m.member = r.oid) as memberships
           from pg_roles r where rolname in ('app_api', 'app_worker') order by rolname"""
    )
    assert [row["rolname"] for row in rows] == ["app_api", "app_worker"]
    for row in rows:
        assert not any(row[flag] for flag in row.keys() if flag.startswith("rol") and flag != "rolname")  # noqa: SIM118
        assert row["memberships"] == len(row["may_become"])
    assert rows[0]["may_become"] == ["anon", "authenticated"]
    assert rows[1]["may_become"] == ["authenticated", "service_role"]


@pytest.mark.parametrize("login", ["app_api", "app_worker"])
async def test_a_login_owns_nothing_and_reads_nothing(catalogue: asyncpg.Connection, login: str) -> None:
    assert not await names(
        catalogue,
        """select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') and (
               pg_get_userbyid(c.relowner) = $1 or c.relkind in ('r', 'p', 'v', 'm', 'f')
               and has_any_column_privilege($1, c.oid, 'SELECT, INSERT, UPDATE'))""",
        login,
    )


async def test_the_project_is_one_of_2026(catalogue: asyncpg.Connection) -> None:
    """What is new in public is not reachable for the API roles until it is granted."""
    transaction = catalogue.transaction()
    await transaction.start()
    await catalogue.execute(
        "create table public.fresh (id serial primary key);"
        " create function public.fresh_function() returns int language sql as 'select 1'"
    )
    for role in ("anon", "authenticated", "service_role"):
        granted = await catalogue.fetchval(
            """select array_agg(verb order by verb) from unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) as verb
               where has_table_privilege($1, 'public.fresh', verb)""",
            role,
        )
        assert granted is None
        assert await catalogue.fetchval("select has_table_privilege($1, 'public.fresh', 'TRUNCATE')", role)
        assert not await catalogue.fetchval("select has_sequence_privilege($1, 'public.fresh_id_seq', 'USAGE')", role)
    await transaction.rollback()


async def test_a_dump_of_data_can_be_loaded_without_firing_triggers(catalogue: asyncpg.Connection) -> None:
    async with catalogue.transaction():
        await catalogue.execute("set local session_replication_role = replica")
        await catalogue.execute("insert into auth.users (id, email) values (gen_random_uuid(), 'dump@example.com')")
        copied = "select count(*) from public.profiles join auth.users on id = user_id where email = 'dump@example.com'"
        assert await catalogue.fetchval(copied) == 0
        await catalogue.execute("delete from auth.users where email = 'dump@example.com'")


async def test_postgres_is_no_superuser_and_may_not_create_in_auth(catalogue: asyncpg.Connection) -> None:
    assert await catalogue.fetchval("select current_user") == "postgres"
    assert not await catalogue.fetchval("select rolsuper from pg_roles where rolname = 'postgres'")
    assert not await catalogue.fetchval("select has_schema_privilege('postgres', 'auth', 'CREATE')")
    assert await catalogue.fetchval("select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'auth'") in (
        "supabase_auth_admin",
        "supabase_admin",
    )


@pytest.mark.parametrize("schema", ["mailbox", "embedded"])
@pytest.mark.parametrize("role", [*CLIENTS, "service_role", "app_api", "app_worker", "authenticator"])
async def test_what_is_only_embedded_cannot_be_reached(catalogue: asyncpg.Connection, role: str, schema: str) -> None:
    assert not await catalogue.fetchval("select has_schema_privilege($1, $2, 'USAGE')", role, schema)
