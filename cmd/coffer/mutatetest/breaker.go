package main

import (
	"go/ast"
	"go/token"
	"strconv"
	"strings"
)

// A mutant is one way to break one place.
type mutant struct {
	number int
	file   string
	line   int

	// name tells it from all others of the file, and lasts when lines move: the
	// function, what is done to it, and the words that it is done to.
	name string
}

// A breaker puts mutants into the syntax tree of a file. Each of them asks
// whether it is at work, and does else what the code did.
type breaker struct {
	set     *token.FileSet
	file    string
	source  []byte
	first   int    // number of the first mutant, less one
	within  string // the function
	mutants []mutant
	names   map[string]int // how often each was given
}

// new makes a mutant, and the expression that asks for it. The words are those
// of the source, which a tree that is broken already does not have any more.
func (b *breaker) new(at token.Pos, what, words string) ast.Expr {
	n := b.first + len(b.mutants) + 1
	name := b.within + ": " + what + ": " + words
	if b.names[name]++; b.names[name] > 1 {
		name += " (" + strconv.Itoa(b.names[name]) + ")"
	}
	b.mutants = append(b.mutants, mutant{n, b.file, b.set.Position(at).Line, name})
	return &ast.CallExpr{Fun: ast.NewIdent("mutant"), Args: []ast.Expr{&ast.BasicLit{Kind: token.INT, Value: strconv.Itoa(n)}}}
}

// words are the first line of what stands in the source, as far as it fits.
func (b *breaker) words(n ast.Node) string {
	const most = 70
	first, _, _ := strings.Cut(string(b.source[b.set.Position(n.Pos()).Offset:b.set.Position(n.End()).Offset]), "\n")
	if first = strings.TrimSuffix(first, " {"); len(first) > most {
		first = strings.ToValidUTF8(first[:most], "") + "..."
	}
	return first
}

// function breaks a function; the mutants in it bear its name.
func (b *breaker) function(f *ast.FuncDecl) {
	b.within = f.Name.Name
	if f.Recv != nil {
		b.within = strings.Trim(b.words(f.Recv.List[0].Type), "*") + "." + b.within
	}
	b.block(f.Body)
}

// block breaks the statements of a block, the inner ones first.
func (b *breaker) block(block *ast.BlockStmt) {
	if block != nil {
		block.List = b.list(block.List)
	}
}

func (b *breaker) list(list []ast.Stmt) []ast.Stmt {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = b.words(s)
	}
	out := make([]ast.Stmt, 0, len(list))
	for i := 0; i < len(list); i++ {
		b.inside(list[i])
		if i+1 < len(list) && swappable(list[i], list[i+1]) {
			b.inside(list[i+1])
			out = append(out, b.swap(list[i], list[i+1], words[i], words[i+1]))
			i++
			continue
		}
		out = append(out, b.remove(list[i], words[i]))
	}
	return out
}

// removable tells whether a statement can be left out and the rest still
// compiles: it declares nothing, and does not end its function.
func removable(s ast.Stmt) bool {
	switch s := s.(type) {
	case *ast.ExprStmt:
		call, ok := s.X.(*ast.CallExpr)
		if !ok {
			return false
		}
		id, ok := call.Fun.(*ast.Ident)
		return !ok || id.Name != "panic"
	case *ast.AssignStmt:
		return s.Tok != token.DEFINE
	case *ast.IncDecStmt:
		return true
	case *ast.IfStmt:
		return s.Else == nil
	case *ast.DeferStmt:
		return false // leaving it out leaks more often than it breaks
	}
	return false
}

// swappable tells whether two statements can change places and are not both
// ifs: the order of guards seldom matters.
func swappable(x, y ast.Stmt) bool {
	_, one := x.(*ast.IfStmt)
	_, other := y.(*ast.IfStmt)
	return removable(x) && removable(y) && !(one && other)
}

// remove leaves a statement out.
func (b *breaker) remove(s ast.Stmt, words string) ast.Stmt {
	if !removable(s) {
		return s
	}
	asks := &ast.UnaryExpr{Op: token.NOT, X: b.new(s.Pos(), "left out", words)}
	return &ast.IfStmt{Cond: asks, Body: &ast.BlockStmt{List: []ast.Stmt{s}}}
}

// swap lets two statements change places.
func (b *breaker) swap(x, y ast.Stmt, one, other string) ast.Stmt {
	asks := b.new(x.Pos(), "swapped with the next", one)
	x, y = b.remove(x, one), b.remove(y, other)
	return &ast.IfStmt{Cond: asks, Body: &ast.BlockStmt{List: []ast.Stmt{y, x}}, Else: &ast.BlockStmt{List: []ast.Stmt{x, y}}}
}

// inside breaks what a statement is made of.
func (b *breaker) inside(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.BlockStmt:
		b.block(s)
	case *ast.IfStmt:
		b.literals(s.Init)
		s.Cond = b.condition(s.Cond, true)
		b.block(s.Body)
		if s.Else != nil {
			b.inside(s.Else)
		}
	case *ast.ForStmt:
		s.Cond = b.condition(s.Cond, false) // one that is negated mostly hangs
		b.block(s.Body)
	case *ast.RangeStmt:
		b.block(s.Body)
	case *ast.SwitchStmt:
		b.cases(s.Body, s.Tag == nil)
	case *ast.TypeSwitchStmt:
		b.cases(s.Body, false)
	case *ast.SelectStmt:
		for _, c := range s.Body.List {
			c := c.(*ast.CommClause)
			c.Body = b.list(c.Body)
		}
	case *ast.ReturnStmt:
		for i, x := range s.Results {
			b.literals(x)
			s.Results[i] = b.logic(x)
		}
	default:
		b.literals(s)
	}
}

func (b *breaker) cases(body *ast.BlockStmt, conditions bool) {
	for _, c := range body.List {
		c := c.(*ast.CaseClause)
		for i := range c.List {
			if conditions {
				c.List[i] = b.condition(c.List[i], true)
			}
		}
		c.Body = b.list(c.Body)
	}
}

// literals breaks the functions that are written inside of an expression.
func (b *breaker) literals(n ast.Node) {
	if n == nil {
		return
	}
	ast.Inspect(n, func(n ast.Node) bool {
		if f, ok := n.(*ast.FuncLit); ok {
			b.block(f.Body)
			return false
		}
		return true
	})
}

// condition breaks a condition as a whole, and the parts of it.
func (b *breaker) condition(x ast.Expr, negate bool) ast.Expr {
	if x == nil {
		return nil
	}
	at, words := x.Pos(), b.words(x) // what is broken below has none
	b.literals(x)
	broken := b.logic(x)
	if !negate {
		return broken
	}
	return &ast.BinaryExpr{X: b.new(at, "negated", words), Op: token.NEQ, Y: &ast.ParenExpr{X: broken}}
}

var neighbours = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.LAND: token.LOR, token.LOR: token.LAND,
}

// logic moves limits by one, and takes and for or.
func (b *breaker) logic(x ast.Expr) ast.Expr {
	switch e := x.(type) {
	case *ast.ParenExpr:
		e.X = b.logic(e.X)
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			e.X = b.logic(e.X)
		}
	case *ast.BinaryExpr:
		words := b.words(e)
		if e.Op == token.LAND || e.Op == token.LOR {
			e.X, e.Y = b.logic(e.X), b.logic(e.Y)
		}
		other, ok := neighbours[e.Op]
		if !ok {
			return x
		}
		asks := b.new(e.OpPos, other.String()+" in place of "+e.Op.String(), words)
		changed := &ast.BinaryExpr{X: e.X, Op: other, Y: e.Y}
		return &ast.ParenExpr{X: &ast.BinaryExpr{
			X:  &ast.ParenExpr{X: &ast.BinaryExpr{X: asks, Op: token.LAND, Y: &ast.ParenExpr{X: changed}}},
			Op: token.LOR,
			Y:  &ast.ParenExpr{X: &ast.BinaryExpr{X: &ast.UnaryExpr{Op: token.NOT, X: asks}, Op: token.LAND, Y: &ast.ParenExpr{X: e}}},
		}}
	}
	return x
}
