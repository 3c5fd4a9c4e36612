package main

import (
	"slices"
	"strings"

	pgquery "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"

	"musicstore/layer/dbtx"
	"musicstore/layer/ddl"
)

// edit is a part of a file that sqlc reads in another way.
type edit struct {
	ddl.Span

	with string
}

// apply returns the text with the edits.
func apply(text string, edits []edit) string {
	slices.SortStableFunc(edits, func(a, b edit) int { return a.Start - b.Start })
	var b strings.Builder
	at := 0
	for _, e := range edits {
		if e.Start < at { // within what is replaced already
			continue
		}
		b.WriteString(text[at:e.Start])
		b.WriteString(e.with)
		at = e.End
	}
	b.WriteString(text[at:])

	return b.String()
}

// forSQLC returns what sqlc reads in another way in the files of a schema, by file. Each statement keeps its lines.
//
// sqlc has no use for the bodies of functions. It panics where a function has OUT and no RETURNS, takes the columns of
// RETURNS TABLE for one, and knows no aggregates. It does not see the names that a view gives its columns in brackets. It does not know that ALTER TABLE … ADD PRIMARY KEY makes columns NOT NULL. And it would
// make a type of Go of every partition.
func forSQLC(files []*source) map[*source][]edit {
	rows := rowsOf(files)
	keys, parts := map[string][]string{}, partitions(files)
	for _, file := range files {
		for _, st := range file.Statements {
			alter := st.Node.GetAlterTableStmt()
			for _, cmd := range alter.GetCmds() {
				if c := cmd.GetAlterTableCmd().GetDef().GetConstraint(); c.GetContype() == pgquery.ConstrType_CONSTR_PRIMARY {
					for _, key := range c.GetKeys() {
						keys[ddl.NameOf(alter.GetRelation())] = append(keys[ddl.NameOf(alter.GetRelation())], key.GetString_().GetSval())
					}
				}
			}
		}
	}
	edits := map[*source][]edit{}
	for _, file := range files {
		for _, st := range file.Statements {
			made := st.Makes()
			var nodes []*pgquery.Node
			switch {
			case parts[made.Table] != "" && made.Kind != dbtx.KindTable, parts[made.Name] != "" && made.Kind == dbtx.KindTable,
				made.Kind == dbtx.KindComment && made.Of == "column" && parts[made.Table] != "":
			case st.Node.GetCreateFunctionStmt() != nil:
				nodes = functionForSQLC(st.Node, rows[made.Name])
			case len(st.Node.GetViewStmt().GetAliases()) > 0 || len(st.Node.GetCreateTableAsStmt().GetInto().GetColNames()) > 0:
				nodes = viewForSQLC(st.Node)
			case made.Kind == dbtx.KindAggregate:
				if nodes = aggregateForSQLC(st.Node.GetDefineStmt()); nodes == nil {
					continue
				}
			case len(keys[made.Name]) > 0 && made.Kind == dbtx.KindTable:
				nodes = tableForSQLC(st.Node, keys[made.Name])
			default:
				continue
			}
			tree := &pgquery.ParseResult{}
			for _, node := range nodes {
				tree.Stmts = append(tree.Stmts, &pgquery.RawStmt{Stmt: node})
			}
			with, err := ddl.Deparse(tree)
			if err != nil {
				continue // and sqlc reads it as it is
			}
			with += strings.Repeat("\n", strings.Count(file.Text[st.Start:st.End], "\n"))
			edits[file] = append(edits[file], edit{st.Span, with})
		}
	}

	return edits
}

// rowsOf returns what sqlc is to call the rows of the functions that return several columns, by the names of the functions
// with their arguments: f_row.
func rowsOf(files []*source) map[string]string {
	taken, rows := map[string]bool{}, map[string]string{}
	for _, file := range files {
		for _, st := range file.Statements {
			taken[st.Makes().Name] = true
		}
	}
	for _, file := range files {
		for _, st := range file.Statements {
			f := st.Node.GetCreateFunctionStmt()
			if _, outs := split(f.GetParameters()); severalColumns(outs) && !f.GetIsProcedure() {
				name := lastName(f.GetFuncname()) + "_row"
				for n := 2; taken[name]; n++ {
					name = lastName(f.GetFuncname()) + "_row" + itoa(n)
				}
				taken[name] = true
				rows[st.Makes().Name] = name
			}
		}
	}

	return rows
}

// partitions returns the tables of the partitions that the files make.
func partitions(files []*source) map[string]string {
	parts := map[string]string{}
	for _, file := range files {
		for _, st := range file.Statements {
			made := st.Makes()
			table := st.Node.GetAlterTableStmt().GetObjtype() == pgquery.ObjectType_OBJECT_TABLE // and not an index
			if made.Kind == dbtx.KindTable && made.Table != "" || made.Kind == dbtx.KindPartition && table {
				parts[made.Name] = made.Table
			}
		}
	}

	return parts
}

// functionForSQLC returns a function without its body, and with the type of its result behind RETURNS. The row of a function
// that returns several columns is that of a table, which sqlc alone sees.
func functionForSQLC(node *pgquery.Node, row string) []*pgquery.Node {
	node, _ = proto.Clone(node).(*pgquery.Node)
	f := node.GetCreateFunctionStmt()
	params, outs := split(f.GetParameters())
	f.Options, f.SqlBody, f.Parameters = nil, nil, params
	switch {
	case f.GetIsProcedure(), len(outs) == 0:
		return []*pgquery.Node{node}
	case !severalColumns(outs):
		setof := f.GetReturnType().GetSetof()
		f.ReturnType = outs[0].GetFunctionParameter().GetArgType()
		f.ReturnType.Setof = setof

		return []*pgquery.Node{node}
	}
	table := &pgquery.CreateStmt{
		Relation: &pgquery.RangeVar{Relname: row, Inh: true, Relpersistence: "p"}, Oncommit: pgquery.OnCommitAction_ONCOMMIT_NOOP,
	}
	for _, p := range outs {
		table.TableElts = append(table.TableElts, &pgquery.Node{Node: &pgquery.Node_ColumnDef{ColumnDef: &pgquery.ColumnDef{
			Colname: p.GetFunctionParameter().GetName(), TypeName: p.GetFunctionParameter().GetArgType(), IsLocal: true,
		}}})
	}
	f.ReturnType = &pgquery.TypeName{Names: []*pgquery.Node{pgquery.MakeStrNode(row)}, Typemod: -1, Setof: true}

	return []*pgquery.Node{{Node: &pgquery.Node_CreateStmt{CreateStmt: table}}, node}
}

// severalColumns reports that a function returns a row rather than a value.
func severalColumns(outs []*pgquery.Node) bool {
	return len(outs) > 1 ||
		len(outs) == 1 && outs[0].GetFunctionParameter().GetMode() == pgquery.FunctionParameterMode_FUNC_PARAM_TABLE
}

// split returns what a function takes and what it returns. INOUT is both.
func split(parameters []*pgquery.Node) (params, outs []*pgquery.Node) {
	for _, p := range parameters {
		switch p.GetFunctionParameter().GetMode() {
		case pgquery.FunctionParameterMode_FUNC_PARAM_INOUT:
			in, _ := proto.Clone(p).(*pgquery.Node)
			in.GetFunctionParameter().Mode = pgquery.FunctionParameterMode_FUNC_PARAM_IN
			params, outs = append(params, in), append(outs, p)
		case pgquery.FunctionParameterMode_FUNC_PARAM_OUT, pgquery.FunctionParameterMode_FUNC_PARAM_TABLE:
			outs = append(outs, p)
		default:
			params = append(params, p)
		}
	}

	return params, outs
}

// aggregateForSQLC returns an aggregate as a function; nil where the type of its result is that of another function.
func aggregateForSQLC(s *pgquery.DefineStmt) []*pgquery.Node {
	f := &pgquery.CreateFunctionStmt{Funcname: s.GetDefnames(), Parameters: s.GetArgs()[0].GetList().GetItems()}
	for _, node := range s.GetDefinition() {
		switch d := node.GetDefElem(); d.GetDefname() {
		case "stype":
			f.ReturnType = d.GetArg().GetTypeName()
		case "finalfunc":
			return nil
		}
	}

	return []*pgquery.Node{{Node: &pgquery.Node_CreateFunctionStmt{CreateFunctionStmt: f}}}
}

// tableForSQLC returns a table whose key columns are NOT NULL.
func tableForSQLC(node *pgquery.Node, key []string) []*pgquery.Node {
	node, _ = proto.Clone(node).(*pgquery.Node)
	for _, e := range node.GetCreateStmt().GetTableElts() {
		if def := e.GetColumnDef(); slices.Contains(key, def.GetColname()) {
			def.Constraints = append(def.Constraints, &pgquery.Node{Node: &pgquery.Node_Constraint{
				Constraint: &pgquery.Constraint{Contype: pgquery.ConstrType_CONSTR_NOTNULL},
			}})
		}
	}

	return []*pgquery.Node{node}
}

// viewForSQLC returns a view whose query gives its columns the names that the view has for them in brackets.
func viewForSQLC(node *pgquery.Node) []*pgquery.Node {
	node, _ = proto.Clone(node).(*pgquery.Node)
	names, query := node.GetViewStmt().GetAliases(), node.GetViewStmt().GetQuery()
	if as := node.GetCreateTableAsStmt(); as != nil {
		names, query = as.GetInto().GetColNames(), as.GetQuery()
	}
	sel := query.GetSelectStmt()
	for sel.GetLarg() != nil { // the first arm of a UNION
		sel = sel.GetLarg()
	}
	for i, name := range names {
		if i < len(sel.GetTargetList()) {
			sel.GetTargetList()[i].GetResTarget().Name = name.GetString_().GetSval()
		}
	}
	if as := node.GetCreateTableAsStmt(); as != nil {
		as.Into.ColNames = nil
	} else {
		node.GetViewStmt().Aliases = nil
	}

	return []*pgquery.Node{node}
}
