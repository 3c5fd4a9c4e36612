package ddl

import (
	pgquery "github.com/pganalyze/pg_query_go/v6"
)

// refusal says why a schema does not hold a statement that makes nothing.
func refusal(node *pgquery.Node) string {
	switch {
	case node.GetCreateSchemaStmt() != nil:
		return "a store has one schema, the current one: CREATE SCHEMA is not for its files"
	case node.GetRenameStmt() != nil:
		return "RENAME is history: write the new name where it is made"
	case node.GetDropStmt() != nil:
		return "DROP is history: take out what is dropped"
	case node.GetAlterEnumStmt() != nil:
		return "ALTER TYPE is history: write the label where the type is made"
	case node.GetAlterDomainStmt() != nil:
		return "ALTER DOMAIN is history: write it where the domain is made"
	case node.GetAlterFunctionStmt() != nil, node.GetAlterObjectSchemaStmt() != nil, node.GetAlterExtensionStmt() != nil,
		node.GetAlterTypeStmt() != nil, node.GetAlterObjectDependsStmt() != nil, node.GetAlterExtensionContentsStmt() != nil:
		return "ALTER is history: write it where the object is made"
	case node.GetInsertStmt() != nil, node.GetUpdateStmt() != nil, node.GetDeleteStmt() != nil, node.GetMergeStmt() != nil,
		node.GetTruncateStmt() != nil, node.GetCopyStmt() != nil:
		return "rows are not part of a schema: put them in with a query, or with a program"
	case node.GetSelectStmt() != nil, node.GetCallStmt() != nil, node.GetDoStmt() != nil, node.GetRefreshMatViewStmt() != nil:
		return "a schema says what there is and runs nothing"
	case node.GetGrantStmt() != nil, node.GetGrantRoleStmt() != nil, node.GetAlterDefaultPrivilegesStmt() != nil,
		node.GetCreateRoleStmt() != nil, node.GetAlterRoleStmt() != nil:
		return "rights are not part of a schema: give them with what the command grants prints, and dump with --no-privileges"
	case node.GetTransactionStmt() != nil:
		return "Bootstrap runs the files in one transaction: take out what begins or ends another"
	default:
		return notKnown
	}
}

// alteration says why a schema does not hold a form of ALTER TABLE.
func alteration(kind pgquery.AlterTableType, of pgquery.ObjectType) string {
	if of == pgquery.ObjectType_OBJECT_TYPE {
		return "ALTER TYPE is history: write it where the type is made"
	}
	switch kind {
	case pgquery.AlterTableType_AT_AddColumn:
		return "ADD COLUMN is history: write the column where its table is made"
	case pgquery.AlterTableType_AT_DropColumn:
		return "DROP COLUMN is history: take the column out where its table is made"
	case pgquery.AlterTableType_AT_AlterColumnType:
		return "ALTER COLUMN … TYPE is history: write the type where the column is made"
	case pgquery.AlterTableType_AT_DropConstraint:
		return "DROP CONSTRAINT is history: take the constraint out where it is made"
	case pgquery.AlterTableType_AT_SetNotNull, pgquery.AlterTableType_AT_DropNotNull:
		return "NOT NULL of an ALTER TABLE is history: write it where the column is made"
	case pgquery.AlterTableType_AT_ColumnDefault:
		return "DROP DEFAULT is history: take the default out where the column is made"
	case pgquery.AlterTableType_AT_EnableRowSecurity, pgquery.AlterTableType_AT_ForceRowSecurity:
		return "row-level security is not known here: docs/schema.md lists what a schema may hold"
	default:
		return "this form of ALTER TABLE is history or is not known here: write it where the table is made"
	}
}
