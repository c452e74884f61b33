package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"trimtab/internal/scale"
)

// Input is the document that a view's policy sees.
func (b *Bundle) Input(v *scale.View) (ast.Value, error) { return b.terms.input(v) }

// Capabilities are the built-in functions that policies have.
func Capabilities() *ast.Capabilities { return capabilities() }
