package ddl

import (
	"fmt"
	"slices"
	"strings"

	"musicstore/layer/dbtx"

	pgquery "github.com/pganalyze/pg_query_go/v6"
)

// Schema returns the statements of a schema file with what each makes. What a schema does not need is left out, such as
// most of the settings that pg_dump writes. A statement that a schema may not hold has no Kind.
func (f *File) Schema() []dbtx.Statement {
	var all []dbtx.Statement
	for _, st := range f.Statements {
		m := makes(st.Node)
		if m.ignored {
			continue
		}
		m.SQL, m.File = f.withoutPublic(st), fmt.Sprintf("%s:%d", f.Name, f.Line(st.Start))
		if m.Kind == dbtx.KindSetting {
			m.SQL = "SET LOCAL " + m.Name + " = off"
		}
		all = append(all, m.Statement)
	}

	return all
}

// Makes returns what a statement makes, without its text.
func (st Statement) Makes() dbtx.Statement { return makes(st.Node).Statement }

// made is what a statement makes.
type made struct {
	dbtx.Statement

	ignored bool   // a schema does not need it
	refused string // why a schema may not hold it
}

func refused(format string, args ...any) made { return made{refused: fmt.Sprintf(format, args...)} }

func object(kind, name, table string) made {
	return made{Statement: dbtx.Statement{Kind: kind, Name: name, Table: table}}
}

// makes finds out what a statement makes.
func makes(node *pgquery.Node) made {
	switch {
	case node.GetCreateStmt() != nil:
		return makesTable(node.GetCreateStmt())
	case node.GetIndexStmt().GetConcurrent():
		return refused("CONCURRENTLY is not for the transaction that makes everything: take it out")
	case node.GetIndexStmt() != nil:
		return object(dbtx.KindIndex, node.GetIndexStmt().GetIdxname(), NameOf(node.GetIndexStmt().GetRelation()))
	case node.GetViewStmt() != nil:
		return object(dbtx.KindView, NameOf(node.GetViewStmt().GetView()), "")
	case node.GetCreateTableAsStmt() != nil:
		as := node.GetCreateTableAsStmt()
		if as.GetObjtype() != pgquery.ObjectType_OBJECT_MATVIEW {
			return refused("CREATE TABLE … AS copies rows, which a schema does not have: write the columns out")
		}

		return object(dbtx.KindMaterializedView, NameOf(as.GetInto().GetRel()), "")
	case node.GetCreateSeqStmt() != nil:
		return object(dbtx.KindSequence, NameOf(node.GetCreateSeqStmt().GetSequence()), "")
	case node.GetCreateEnumStmt() != nil:
		return object(dbtx.KindEnum, QualifiedName(node.GetCreateEnumStmt().GetTypeName()), "")
	case node.GetCreateDomainStmt() != nil:
		return object(dbtx.KindDomain, QualifiedName(node.GetCreateDomainStmt().GetDomainname()), "")
	case node.GetCompositeTypeStmt() != nil:
		return object(dbtx.KindType, NameOf(node.GetCompositeTypeStmt().GetTypevar()), "")
	case node.GetCreateRangeStmt() != nil:
		return object(dbtx.KindType, QualifiedName(node.GetCreateRangeStmt().GetTypeName()), "")
	case node.GetCreateFunctionStmt() != nil:
		f, kind := node.GetCreateFunctionStmt(), dbtx.KindFunction
		if f.GetIsProcedure() {
			kind = dbtx.KindProcedure
		}

		return object(kind, signature(f.GetFuncname(), f.GetParameters()), "")
	case node.GetDefineStmt() != nil:
		return makesDefined(node.GetDefineStmt())
	case node.GetCreateTrigStmt() != nil:
		return object(dbtx.KindTrigger, node.GetCreateTrigStmt().GetTrigname(), NameOf(node.GetCreateTrigStmt().GetRelation()))
	case node.GetCreateExtensionStmt() != nil:
		return object(dbtx.KindExtension, node.GetCreateExtensionStmt().GetExtname(), "")
	case node.GetCommentStmt() != nil:
		return makesComment(node.GetCommentStmt())
	case node.GetAlterTableStmt() != nil:
		return alters(node.GetAlterTableStmt())
	case node.GetAlterSeqStmt() != nil:
		alter := node.GetAlterSeqStmt()
		for _, option := range alter.GetOptions() {
			if option.GetDefElem().GetDefname() != "owned_by" {
				return refused("ALTER SEQUENCE is history: write the options in its CREATE SEQUENCE (OWNED BY may stand here)")
			}
		}

		return object(dbtx.KindAlteration, "", NameOf(alter.GetSequence()))
	case node.GetVariableSetStmt() != nil:
		return makesSetting(node.GetVariableSetStmt())
	case node.GetAlterOwnerStmt() != nil, setsConfig(node):
		return made{ignored: true}
	default:
		return refused("%s", refusal(node))
	}
}

func makesTable(s *pgquery.CreateStmt) made {
	rel := s.GetRelation()
	switch {
	case s.GetOfTypename() != nil:
		return refused("%s: the columns that OF takes from a type are not followed: write the columns out", rel.GetRelname())
	case s.GetPartbound() != nil:
		return object(dbtx.KindTable, NameOf(rel), NameOf(s.GetInhRelations()[0].GetRangeVar()))
	default:
		return object(dbtx.KindTable, NameOf(rel), "")
	}
}

func makesDefined(s *pgquery.DefineStmt) made {
	switch s.GetKind() {
	case pgquery.ObjectType_OBJECT_AGGREGATE:
		if s.GetOldstyle() {
			return refused("CREATE AGGREGATE has the types of its arguments behind its name: CREATE AGGREGATE f (integer) (…)")
		}

		return object(dbtx.KindAggregate, signature(s.GetDefnames(), s.GetArgs()[0].GetList().GetItems()), "")
	case pgquery.ObjectType_OBJECT_TYPE:
		return refused("a base type needs functions in C: a schema may hold enums, domains, composite types and ranges")
	default:
		return refused("%s", notKnown)
	}
}

// signature returns the name of a function with the types of its input arguments.
func signature(name, params []*pgquery.Node) string {
	var types []string
	for _, p := range params {
		param := p.GetFunctionParameter()
		switch param.GetMode() {
		case pgquery.FunctionParameterMode_FUNC_PARAM_OUT, pgquery.FunctionParameterMode_FUNC_PARAM_TABLE:
		default:
			types = append(types, TypeName(param.GetArgType()))
		}
	}

	return QualifiedName(name) + "(" + strings.Join(types, ", ") + ")"
}

// TypeName returns the name that the catalogue has for a type, with [] behind it for an array.
func TypeName(t *pgquery.TypeName) string {
	name := QualifiedName(t.GetNames())
	if len(t.GetArrayBounds()) > 0 {
		name += "[]"
	}

	return name
}

// The kinds of what a comment can be about.
var commented = map[pgquery.ObjectType]string{
	pgquery.ObjectType_OBJECT_TABLE: dbtx.KindTable, pgquery.ObjectType_OBJECT_VIEW: dbtx.KindView,
	pgquery.ObjectType_OBJECT_MATVIEW: dbtx.KindMaterializedView, pgquery.ObjectType_OBJECT_SEQUENCE: dbtx.KindSequence,
	pgquery.ObjectType_OBJECT_INDEX: dbtx.KindIndex, pgquery.ObjectType_OBJECT_COLUMN: "column",
	pgquery.ObjectType_OBJECT_TABCONSTRAINT: dbtx.KindConstraint, pgquery.ObjectType_OBJECT_DOMCONSTRAINT: dbtx.KindConstraint,
	pgquery.ObjectType_OBJECT_TRIGGER: dbtx.KindTrigger, pgquery.ObjectType_OBJECT_TYPE: dbtx.KindType,
	pgquery.ObjectType_OBJECT_DOMAIN: dbtx.KindDomain, pgquery.ObjectType_OBJECT_EXTENSION: dbtx.KindExtension,
	pgquery.ObjectType_OBJECT_FUNCTION: dbtx.KindFunction, pgquery.ObjectType_OBJECT_PROCEDURE: dbtx.KindProcedure,
	pgquery.ObjectType_OBJECT_AGGREGATE: dbtx.KindAggregate,
}

func makesComment(s *pgquery.CommentStmt) made {
	kind := commented[s.GetObjtype()]
	names := s.GetObject().GetList().GetItems()
	m := object(dbtx.KindComment, "", "")
	m.Of = kind
	switch s.GetObjtype() {
	case pgquery.ObjectType_OBJECT_TABLE, pgquery.ObjectType_OBJECT_VIEW, pgquery.ObjectType_OBJECT_MATVIEW:
		m.Name = QualifiedName(names)
		m.Table = m.Name
	case pgquery.ObjectType_OBJECT_SEQUENCE, pgquery.ObjectType_OBJECT_INDEX:
		m.Name = QualifiedName(names)
	case pgquery.ObjectType_OBJECT_COLUMN, pgquery.ObjectType_OBJECT_TABCONSTRAINT, pgquery.ObjectType_OBJECT_TRIGGER:
		last := len(names) - 1
		m.Table, m.Name = QualifiedName(names[:last]), QualifiedName(names[last:])
	case pgquery.ObjectType_OBJECT_DOMCONSTRAINT:
		m.Table, m.Name = QualifiedName(names[0].GetTypeName().GetNames()), QualifiedName(names[1:])
	case pgquery.ObjectType_OBJECT_TYPE, pgquery.ObjectType_OBJECT_DOMAIN:
		m.Name = QualifiedName(s.GetObject().GetTypeName().GetNames())
	case pgquery.ObjectType_OBJECT_EXTENSION:
		m.Name = s.GetObject().GetString_().GetSval()
	case pgquery.ObjectType_OBJECT_FUNCTION, pgquery.ObjectType_OBJECT_PROCEDURE, pgquery.ObjectType_OBJECT_AGGREGATE:
		f := s.GetObject().GetObjectWithArgs()
		if f.GetArgsUnspecified() {
			return refused("COMMENT ON a function has the types of its arguments: COMMENT ON FUNCTION f(integer) IS …")
		}
		params := f.GetObjfuncargs()
		if len(params) == 0 { // of an aggregate
			for _, t := range f.GetObjargs() {
				params = append(params, &pgquery.Node{Node: &pgquery.Node_FunctionParameter{
					FunctionParameter: &pgquery.FunctionParameter{ArgType: t.GetTypeName()},
				}})
			}
		}
		m.Name = signature(f.GetObjname(), params)
	default:
		return refused("this comment is about nothing that a schema may hold")
	}

	return m
}

// The forms of ALTER TABLE that are a part of creating a table. https://www.postgresql.org/docs/current/sql-altertable.html
var parts = []pgquery.AlterTableType{
	pgquery.AlterTableType_AT_AddConstraint, pgquery.AlterTableType_AT_AddIdentity, pgquery.AlterTableType_AT_SetStatistics,
	pgquery.AlterTableType_AT_SetOptions, pgquery.AlterTableType_AT_SetStorage, pgquery.AlterTableType_AT_SetCompression,
	pgquery.AlterTableType_AT_ClusterOn, pgquery.AlterTableType_AT_SetRelOptions, pgquery.AlterTableType_AT_ReplicaIdentity,
	pgquery.AlterTableType_AT_EnableTrig, pgquery.AlterTableType_AT_EnableAlwaysTrig, pgquery.AlterTableType_AT_EnableReplicaTrig,
	pgquery.AlterTableType_AT_DisableTrig, pgquery.AlterTableType_AT_AttachPartition,
}

func alters(s *pgquery.AlterTableStmt) made {
	m := object(dbtx.KindAlteration, "", NameOf(s.GetRelation()))
	m.ignored = true
	for _, node := range s.GetCmds() {
		cmd := node.GetAlterTableCmd()
		kind := cmd.GetSubtype()
		sets := kind == pgquery.AlterTableType_AT_ColumnDefault && cmd.GetDef() != nil
		switch {
		case kind == pgquery.AlterTableType_AT_ChangeOwner:
			continue
		case !sets && !slices.Contains(parts, kind):
			return refused("%s", alteration(kind, s.GetObjtype()))
		case kind == pgquery.AlterTableType_AT_AddConstraint:
			c := cmd.GetDef().GetConstraint()
			m.Kind, m.Name, m.Of = dbtx.KindConstraint, c.GetConname(), ConstraintKinds[c.GetContype()]
		case kind == pgquery.AlterTableType_AT_AttachPartition:
			m = object(dbtx.KindPartition, NameOf(cmd.GetDef().GetPartitionCmd().GetName()), m.Table)
		}
		m.ignored = false
	}

	return m
}

// ConstraintKinds are the kinds of constraints, as the metadata has them.
var ConstraintKinds = map[pgquery.ConstrType]string{
	pgquery.ConstrType_CONSTR_NOTNULL:   dbtx.NotNull,
	pgquery.ConstrType_CONSTR_CHECK:     dbtx.Check,
	pgquery.ConstrType_CONSTR_PRIMARY:   dbtx.PrimaryKey,
	pgquery.ConstrType_CONSTR_UNIQUE:    dbtx.Unique,
	pgquery.ConstrType_CONSTR_EXCLUSION: dbtx.Exclusion,
	pgquery.ConstrType_CONSTR_FOREIGN:   dbtx.ForeignKey,
}

// The settings of the head of a dump, which change nothing here: Bootstrap and Check have their own.
var dumped = []string{
	"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "transaction_timeout", "client_encoding",
	"standard_conforming_strings", "xmloption", "client_min_messages", "row_security", "default_tablespace",
	"default_table_access_method", "default_with_oids", "search_path",
}

func makesSetting(s *pgquery.VariableSetStmt) made {
	value := ""
	if len(s.GetArgs()) == 1 {
		value = s.GetArgs()[0].GetAConst().GetSval().GetSval()
	}
	name := s.GetName()
	plain := s.GetKind() == pgquery.VariableSetKind_VAR_SET_VALUE && !s.GetIsLocal()
	switch {
	case plain && name == "check_function_bodies" && slices.Contains([]string{"false", "off"}, value):
		return object(dbtx.KindSetting, name, "")
	case plain && slices.Contains(dumped, name) && (name != "client_encoding" || value == "UTF8") &&
		(name != "standard_conforming_strings" || value == "on") && (name != "search_path" || value == "" || value == "public") &&
		(name != "default_tablespace" || value == "") && (name != "default_table_access_method" || value == "heap"):
		return made{ignored: true}
	default:
		return refused("a schema sets nothing, except for what pg_dump writes at the head of a dump")
	}
}

// setsConfig reports that a statement is the line by which pg_dump empties the search_path.
func setsConfig(node *pgquery.Node) bool {
	targets := node.GetSelectStmt().GetTargetList()
	if len(targets) != 1 || len(node.GetSelectStmt().GetFromClause()) > 0 {
		return false
	}
	call := targets[0].GetResTarget().GetVal().GetFuncCall()

	return len(call.GetArgs()) == 3 && QualifiedName(call.GetFuncname()) == "set_config" &&
		call.GetArgs()[0].GetAConst().GetSval().GetSval() == "search_path" && call.GetArgs()[1].GetAConst().GetSval().GetSval() == ""
}

const notKnown = "this statement is not known here: docs/schema.md lists what a schema may hold"

// NameOf returns the name of a relation, with its schema where that is not public.
func NameOf(rel *pgquery.RangeVar) string {
	if rel.GetSchemaname() == "" || rel.GetSchemaname() == "public" {
		return rel.GetRelname()
	}

	return rel.GetSchemaname() + "." + rel.GetRelname()
}

// QualifiedName returns a name with its schema where that is neither public nor pg_catalog.
func QualifiedName(names []*pgquery.Node) string {
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = n.GetString_().GetSval()
	}
	if len(parts) > 1 && (parts[0] == "pg_catalog" || parts[0] == "public") {
		parts = parts[1:]
	}

	return strings.Join(parts, ".")
}
