"""What Pierhead asks of SQL Server's system views, in the shapes of shared_schema.py. Text only."""

from typing import Final

TABLES: Final = """
SELECT s.name, o.name, CASE o.type WHEN 'V' THEN 1 ELSE 0 END, CAST(e.value AS nvarchar(1000)),
       (SELECT SUM(p.rows) FROM sys.partitions AS p WHERE p.object_id = o.object_id AND p.index_id IN (0, 1))
FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id
LEFT JOIN sys.extended_properties AS e
  ON e.class = 1 AND e.major_id = o.object_id AND e.minor_id = 0 AND e.name = 'MS_Description'
WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 ORDER BY s.name, o.name
"""
COLUMNS: Final = """
SELECT s.name, o.name, c.name,
       CONCAT(t.name, CASE WHEN t.name IN ('decimal', 'numeric') THEN CONCAT('(', c.precision, ',', c.scale, ')')
                           WHEN t.name LIKE '%char' AND c.max_length = -1 THEN '(max)'
                           WHEN t.name LIKE 'n%char' THEN CONCAT('(', c.max_length / 2, ')')
                           WHEN t.name LIKE '%char' THEN CONCAT('(', c.max_length, ')') ELSE '' END),
       CAST(c.is_nullable AS int), CAST(e.value AS nvarchar(1000)),
       CASE WHEN c.default_object_id <> 0 OR c.is_identity = 1 THEN 1 ELSE 0 END,
       CASE WHEN c.is_computed = 1 OR c.generated_always_type <> 0 OR t.name IN ('timestamp', 'rowversion')
            THEN 1 ELSE 0 END
FROM sys.columns AS c JOIN sys.objects AS o ON o.object_id = c.object_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id JOIN sys.types AS t ON t.user_type_id = c.user_type_id
LEFT JOIN sys.extended_properties AS e
  ON e.class = 1 AND e.major_id = c.object_id AND e.minor_id = c.column_id AND e.name = 'MS_Description'
WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 ORDER BY s.name, o.name, c.column_id
"""
KEYS: Final = """
SELECT s.name, o.name, i.name, CAST(i.is_primary_key AS int), c.name
FROM sys.indexes AS i JOIN sys.objects AS o ON o.object_id = i.object_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
JOIN sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id AND k.is_included_column = 0
JOIN sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id
WHERE i.is_unique = 1 AND i.has_filter = 0 AND o.type = 'U' AND o.is_ms_shipped = 0
ORDER BY s.name, o.name, i.name, k.key_ordinal
"""
REFERENCES: Final = """
SELECT s.name, o.name, f.name, c.name, ts.name, t.name, tc.name
FROM sys.foreign_keys AS f JOIN sys.foreign_key_columns AS k ON k.constraint_object_id = f.object_id
JOIN sys.objects AS o ON o.object_id = f.parent_object_id JOIN sys.schemas AS s ON s.schema_id = o.schema_id
JOIN sys.columns AS c ON c.object_id = k.parent_object_id AND c.column_id = k.parent_column_id
JOIN sys.objects AS t ON t.object_id = f.referenced_object_id JOIN sys.schemas AS ts ON ts.schema_id = t.schema_id
JOIN sys.columns AS tc ON tc.object_id = k.referenced_object_id AND tc.column_id = k.referenced_column_id
ORDER BY s.name, o.name, f.name, k.constraint_column_id
"""
READS: Final = """
SELECT LOWER(s.name), LOWER(o.name), LOWER(ts.name), LOWER(t.name)
FROM sys.sql_expression_dependencies AS d JOIN sys.views AS o ON o.object_id = d.referencing_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
JOIN sys.objects AS t ON t.object_id = d.referenced_id JOIN sys.schemas AS ts ON ts.schema_id = t.schema_id
WHERE t.type IN ('U', 'V')
"""
PLACE: Final = "SELECT DB_NAME(), SCHEMA_NAME()"
LOGIN: Final = """
SELECT USER_NAME(), IS_SRVROLEMEMBER('sysadmin'),
       CASE WHEN HAS_PERMS_BY_NAME(NULL, NULL, 'ADMINISTER BULK OPERATIONS') = 1
              OR HAS_PERMS_BY_NAME(NULL, NULL, 'CONTROL SERVER') = 1 THEN 1 ELSE 0 END
"""
RIGHTS: Final = """
SELECT s.name, o.name, HAS_PERMS_BY_NAME(QUOTENAME(s.name) + '.' + QUOTENAME(o.name), 'OBJECT', 'SELECT'),
       HAS_PERMS_BY_NAME(QUOTENAME(s.name) + '.' + QUOTENAME(o.name), 'OBJECT', 'INSERT')
       + HAS_PERMS_BY_NAME(QUOTENAME(s.name) + '.' + QUOTENAME(o.name), 'OBJECT', 'UPDATE')
       + HAS_PERMS_BY_NAME(QUOTENAME(s.name) + '.' + QUOTENAME(o.name), 'OBJECT', 'DELETE'),
       HAS_PERMS_BY_NAME(QUOTENAME(s.name) + '.' + QUOTENAME(o.name), 'OBJECT', 'CONTROL')
FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id
WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0
"""
