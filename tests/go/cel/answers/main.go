// Answers of cel-go in Kubernetes' environment, for tests/unit/cel_answers.json: one {"e": EXPRESSION} a line in, one answer a line out.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
)

type in struct {
	E    string         `json:"e"`
	Vars map[string]any `json:"vars"`
}

func main() {
	base := environment.MustBaseEnvSet(version.MajorMinor(1, 33), true)
	set, err := base.Extend(environment.VersionedOptions{IntroducedVersion: version.MajorMinor(1, 0), EnvOptions: []cel.EnvOption{
		cel.Variable("self", cel.DynType), cel.Variable("s", cel.StringType), cel.Variable("i", cel.IntType),
		cel.Variable("l", cel.ListType(cel.IntType)), cel.Variable("m", cel.MapType(cel.StringType, cel.IntType)), cel.Variable("d", cel.DoubleType),
	}})
	if err != nil {
		panic(err)
	}
	env := set.NewExpressionsEnv()
	sc := bufio.NewScanner(os.Stdin)
	sc.Buffer(make([]byte, 1<<20), 1<<20)
	for sc.Scan() {
		var x in
		if err := json.Unmarshal(sc.Bytes(), &x); err != nil {
			panic(err)
		}
		out := map[string]any{"e": x.E}
		ast, iss := env.Compile(x.E)
		if iss != nil {
			out["compile"] = iss.String()
		} else {
			out["type"] = ast.OutputType().String()
			vars := map[string]any{"self": map[string]any{"a": int64(1), "l": []any{int64(1), int64(2), int64(3)}, "n": nil, "s": "text", "f": 1.5, "b": true, "m": map[string]any{"x": int64(1), "y": "z"}}, "s": "hello", "i": int64(7), "l": []int64{1, 2, 3}, "m": map[string]int64{"x": 1}, "d": 2.5}
			prog, err := env.Program(ast, cel.CostLimit(1000000), cel.EvalOptions(cel.OptOptimize, cel.OptTrackCost))
			if err != nil {
				out["program"] = err.Error()
			} else {
				v, det, err := prog.Eval(vars)
				if err != nil {
					out["error"] = err.Error()
				} else {
					out["value"] = fmt.Sprintf("%v", v.Value())
				}
				if det != nil && det.ActualCost() != nil {
					out["cost"] = *det.ActualCost()
				}
			}
		}
		b, _ := json.Marshal(out)
		fmt.Println(string(b))
	}
}
