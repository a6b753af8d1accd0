"""What Pierhead asks of Oracle's ALL_ views, in the shapes of shared_schema.py. Text only.

Schemas that Oracle keeps itself are left out. Only what the login may read is in these views.
"""

from typing import Final

_OURS: Final = "(SELECT username FROM all_users WHERE oracle_maintained = 'N')"

TABLES: Final = f"""
SELECT t.owner, t.table_name, 0, c.comments, t.num_rows
FROM all_tables t LEFT JOIN all_tab_comments c ON c.owner = t.owner AND c.table_name = t.table_name
WHERE t.owner IN {_OURS} AND t.nested = 'NO' AND t.secondary = 'N'
UNION ALL
SELECT v.owner, v.view_name, 1, c.comments, NULL
FROM all_views v LEFT JOIN all_tab_comments c ON c.owner = v.owner AND c.table_name = v.view_name
WHERE v.owner IN {_OURS} ORDER BY 1, 2
"""  # noqa: S608 - constants
COLUMNS: Final = f"""
SELECT k.owner, k.table_name, k.column_name,
       k.data_type || CASE WHEN k.data_type = 'NUMBER' AND k.data_precision IS NOT NULL
                           THEN '(' || k.data_precision || ',' || k.data_scale || ')'
                           WHEN k.char_length > 0 THEN '(' || k.char_length || ')' END,
       CASE k.nullable WHEN 'Y' THEN 1 ELSE 0 END, c.comments,
       CASE WHEN k.default_length IS NOT NULL OR k.identity_column = 'YES' THEN 1 ELSE 0 END,
       CASE k.virtual_column WHEN 'YES' THEN 1 ELSE 0 END
FROM all_tab_cols k LEFT JOIN all_col_comments c
  ON c.owner = k.owner AND c.table_name = k.table_name AND c.column_name = k.column_name
WHERE k.owner IN {_OURS} AND k.hidden_column = 'NO' ORDER BY k.owner, k.table_name, k.column_id
"""  # noqa: S608 - constants
KEYS: Final = f"""
SELECT k.owner, k.table_name, k.constraint_name, CASE k.constraint_type WHEN 'P' THEN 1 ELSE 0 END, c.column_name
FROM all_constraints k JOIN all_cons_columns c ON c.owner = k.owner AND c.constraint_name = k.constraint_name
WHERE k.owner IN {_OURS} AND k.constraint_type IN ('P', 'U') AND k.status = 'ENABLED'
ORDER BY k.owner, k.table_name, k.constraint_name, c.position
"""  # noqa: S608 - constants
REFERENCES: Final = f"""
SELECT k.owner, k.table_name, k.constraint_name, c.column_name, t.owner, t.table_name, tc.column_name
FROM all_constraints k JOIN all_cons_columns c ON c.owner = k.owner AND c.constraint_name = k.constraint_name
JOIN all_constraints t ON t.owner = k.r_owner AND t.constraint_name = k.r_constraint_name
JOIN all_cons_columns tc ON tc.owner = t.owner AND tc.constraint_name = t.constraint_name AND tc.position = c.position
WHERE k.owner IN {_OURS} AND k.constraint_type = 'R'
ORDER BY k.owner, k.table_name, k.constraint_name, c.position
"""  # noqa: S608 - constants
READS: Final = f"""
SELECT owner, name, referenced_owner, referenced_name FROM all_dependencies
WHERE owner IN {_OURS} AND type = 'VIEW' AND referenced_type IN ('TABLE', 'VIEW')
"""  # noqa: S608 - constants
PLACE: Final = "SELECT sys_context('userenv', 'current_schema') FROM dual"
LOGIN: Final = """
SELECT sys_context('userenv', 'session_user'),
       (SELECT count(*) FROM session_privs
        WHERE privilege IN ('SYSDBA', 'GRANT ANY PRIVILEGE', 'GRANT ANY ROLE', 'ALTER USER', 'DROP ANY TABLE')),
       (SELECT count(*) FROM session_privs WHERE privilege IN ('CREATE ANY DIRECTORY', 'CREATE EXTERNAL JOB'))
FROM dual
"""
RIGHTS: Final = f"""
SELECT t.owner, t.table_name, 1,
       CASE WHEN t.owner = sys_context('userenv', 'session_user') OR EXISTS (
              SELECT 1 FROM all_tab_privs p WHERE p.table_schema = t.owner AND p.table_name = t.table_name
                AND p.privilege IN ('INSERT', 'UPDATE', 'DELETE', 'ALTER')) THEN 1 ELSE 0 END,
       CASE WHEN t.owner = sys_context('userenv', 'session_user') THEN 1 ELSE 0 END
FROM all_tables t WHERE t.owner IN {_OURS}
"""  # noqa: S608 - constants
