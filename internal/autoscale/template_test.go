package autoscale_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"trimtab/internal/autoscale"
)

// inTemplate is a template with one setting, whose fields may be expressions, and other parts of a template before it.
func inTemplate(parts, fields, minimum, target string) string {
	return fmt.Sprintf(`{
  // what people write above their templates
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  %s
  "resources": [
    { "type": "Microsoft.Insights/autoscaleSettings", "apiVersion": "2022-10-01", "name": "[concat('as-', uniqueString(resourceGroup().id))]",
      "location": "[parameters('location')]", %s /* and between them */
      "properties": {
        "enabled": true, "targetResourceUri": "%s",
        "profiles": [ { "name": "default", "capacity": {"minimum": "%s", "maximum": "9", "default": "2"},
          "rules": [
            {"metricTrigger": {"metricName": "Percentage CPU", "metricResourceUri": "%s", "timeGrain": "PT1M", "statistic": "Average",
              "timeWindow": "PT5M", "timeAggregation": "Average", "operator": "GreaterThan", "threshold": 70},
             "scaleAction": {"direction": "Increase", "type": "ChangeCount", "value": "1", "cooldown": "PT5M"}}, ] } ],
      } },
  ]
}`, parts, fields, target, minimum, target)
}

const setID = `[resourceId('Microsoft.Compute/virtualMachineScaleSets', parameters('set'))]`

const setAndPlace = `"parameters": {"set": {"type": "string", "defaultValue": "web"}, "location": {"type": "string", "defaultValue": "[resourceGroup().location]"}},`

func TestWhatATemplateLeavesToItsDeployment(t *testing.T) {
	for name, c := range map[string]struct {
		text, pool string
		// note is the level, the place and a part of a note; definition is a part of what is written.
		note       [3]string
		definition string
	}{
		"subscription and group of its own set": {
			inTemplate(setAndPlace, "", "2", setID), "web",
			[3]string{"changed", "targetResourceUri", "give --"},
			`"scale_set": "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/unknown/providers/Microsoft.Compute/virtualMachineScaleSets/web"`,
		},
		"the set's name": {
			inTemplate(`"parameters": {"set": {"type": "string"}, "location": {"type": "string"}},`, "", "2", setID), "pool_set",
			[3]string{"changed", "targetResourceUri", `--set set=`},
			`/virtualMachineScaleSets/set"`,
		},
		"the set's whole ID": {
			inTemplate(`"parameters": {"targetVmssId": {"type": "string"}},`, "", "2", "[parameters('targetVmssId')]"), "targetvmssid",
			[3]string{"lost", "targetResourceUri", `parameter \"targetVmssId\" has no default`},
			`"minimum`,
		},
		"what another deployment gives": {
			inTemplate("", "", "2", "[reference('cluster').outputs.setId.value]"), "reference",
			[3]string{"lost", "targetResourceUri", "reference()"},
			`"min": 2`,
		},
		"whether it is deployed": {
			inTemplate(setAndPlace, `"condition": "[equals(reference('x').mode, 'on')]",`, "2", setID), "web",
			[3]string{"told", "condition", "reference()"},
			`"min": 2`,
		},
		"numbers that are reckoned, behind branches that are open": {
			inTemplate(strings.Replace(setAndPlace, `"set"`, `"size": {"type": "object", "defaultValue": {"min": 3}}, "set"`, 1)+
				`"functions": [{"namespace": "own", "members": {"twice": {"parameters": [{"name": "n", "type": "int"}], "output": {"type": "int", "value": "[mul(2, parameters('n'))]"}}}}],`,
				"", "[if(or(true(), empty(reference('x').y)), string(own.twice(parameters('size')['min'])), reference('y').z)]", setID), "web",
			[3]string{"changed", "targetResourceUri", ""},
			`"min": 6`,
		},
		"variables made in a loop": {
			inTemplate(setAndPlace+`"variables": {"copy": [{"name": "steps", "count": 3, "input": "[add(copyIndex('steps'), 5)]"}]},`,
				"", "[last(variables('steps'))]", setID), "web",
			[3]string{"changed", "targetResourceUri", ""},
			`"min": 7`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			pools, err := autoscale.Import([]byte(c.text), autoscale.Options{})
			if err != nil {
				t.Fatal(err)
			}
			load(t, pools...)
			if pools[0].Name != c.pool {
				t.Errorf("pool %q, want %q", pools[0].Name, c.pool)
			}
			text, err := json.Marshal(pools[0].Notes)
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, n := range pools[0].Notes {
				told, _ := json.Marshal(n.Text)
				found = found || string(n.Level) == c.note[0] && n.Path == c.note[1] && strings.Contains(string(told), c.note[2])
			}
			if !found {
				t.Errorf("no note %q in %s", c.note, text)
			}
			if c.definition != `"minimum` && !strings.Contains(pools[0].Definition, c.definition) {
				t.Errorf("no %s in %s", c.definition, pools[0].Definition)
			}
			if strings.Contains(pools[0].Definition, `"resource"`) {
				t.Errorf("its own metric is taken for another's: %s", pools[0].Definition)
			}
		})
	}
}

func TestATemplateThatDoesNotSayHowItScalesIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"every parameter without a value, at once": {
			inTemplate(`"parameters": {"min": {"type": "string"}, "threshold": {"type": "int"}},`, "", "[parameters('min')]", "t"),
			[]string{"profiles[0].capacity.minimum", "--set min="},
		},
		"a linked template": {
			`{"$schema": "x", "resources": [{"type": "Microsoft.Resources/deployments", "name": "d", "properties": {"templateLink": {"uri": "https://example.com/nested.json"}}}]}`,
			[]string{"links to the template https://example.com/nested.json"},
		},
		"a condition that is false": {
			inTemplate(`"parameters": {"on": {"type": "bool", "defaultValue": false}},`, `"condition": "[parameters('on')]",`, "1", "t"),
			[]string{"the condition of", "is false"},
		},
		"a loop whose length is open": {
			inTemplate("", `"copy": {"name": "all", "count": "[reference('x').n]"},`, "1", "t"), []string{"copy.count", "reference()"},
		},
		"Bicep":         {"param location string\nresource a 'Microsoft.Insights/autoscalesettings@2022-10-01' = {\n}\n", []string{"not JSON", "az bicep build"}},
		"Terraform":     {"resource \"azurerm_monitor_autoscale_setting\" \"a\" {\n}\n", []string{"not JSON", "Terraform"}},
		"doubling text": {doubling(), []string{"MiB of text"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := autoscale.Import([]byte(c.text), autoscale.Options{})
			if err == nil {
				t.Fatal("imported")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("no %q in: %v", w, err)
				}
			}
		})
	}
}

// doubling is a template whose variables double each other.
func doubling() string {
	variables := `"v0": "0123456789"`
	for i := range 40 {
		variables += fmt.Sprintf(`, "v%d": "[concat(variables('v%d'), variables('v%d'))]"`, i+1, i, i)
	}
	return inTemplate(`"variables": {`+variables+`},`, "", "[variables('v40')]", "t")
}

func TestSettingsInLoopsAndInTemplatesWithinTemplates(t *testing.T) {
	rule := `{"metricTrigger": {"metricName": "Percentage CPU", "timeGrain": "PT1M", "statistic": "Average", "timeWindow": "PT5M",
		"timeAggregation": "Average", "operator": "GreaterThan", "threshold": "[mul(10, add(copyIndex('rules'), 6))]"},
		"scaleAction": {"direction": "Increase", "type": "ChangeCount", "value": "[string(add(1, copyIndex('rules')))]", "cooldown": "PT5M"}}`
	within := func(options, minimum string) string {
		return `{"$schema": "x", "contentVersion": "1", "languageVersion": "2.0", "parameters": {"names": {"type": "array", "defaultValue": ["blue", "green"]}, "min": {"type": "int", "defaultValue": 4}},
		"resources": {"module": {"type": "Microsoft.Resources/deployments", "copy": {"name": "each", "count": "[length(parameters('names'))]"},
		"name": "[format('m-{0}', copyIndex())]", "properties": {` + options + `"mode": "Incremental",
		"parameters": {"set": {"value": "[parameters('names')[copyIndex()]]"}, "min": {"value": "[add(parameters('min'), copyIndex())]"}},
		"template": {"$schema": "x", "contentVersion": "1", "parameters": {"set": {"type": "string"}, "min": {"type": "int"}}, "resources": [
		{"type": "microsoft.insights/autoscalesettings", "name": "s", "properties": {"targetResourceUri": "[resourceId('Microsoft.Compute/virtualMachineScaleSets', ` + minimum + `)]",
		"profiles": [{"name": "p", "capacity": {"minimum": "[string(parameters('min'))]", "maximum": "9", "default": "5"}, "copy": [{"name": "rules", "count": 2, "input": ` + rule + `}]}]}}]}}}}}`
	}
	pools, err := autoscale.Import([]byte(within(`"expressionEvaluationOptions": {"scope": "inner"},`, "parameters('set')")), autoscale.Options{})
	if err != nil || len(pools) != 2 {
		t.Fatalf("%d pools, %v", len(pools), err)
	}
	load(t, pools...)
	for i, name := range []string{"blue", "green"} {
		p := pools[i]
		if p.Name != name || !strings.Contains(p.Definition, fmt.Sprintf(`"min": %d`, 4+i)) ||
			!strings.Contains(p.Policy, `"over": 60, "by": 1`) || !strings.Contains(p.Policy, `"over": 70, "by": 2`) {
			t.Errorf("%s:\n%s\n%s", p.Name, p.Definition, p.Policy)
		}
	}
	// Without a scope of their own, expressions within are those of the template around.
	pools, err = autoscale.Import([]byte(within("", "parameters('names')[copyIndex()]")), autoscale.Options{})
	if err != nil || len(pools) != 2 || pools[1].Name != "green" || !strings.Contains(pools[1].Definition, `"min": 4`) {
		t.Errorf("%+v, %v", pools, err)
	}
}

func TestFilesAreReadInAnyFrame(t *testing.T) {
	plain := one()
	wide := utf16.Encode([]rune(plain))
	little := []byte{0xff, 0xfe}
	for _, u := range wide {
		little = append(little, byte(u), byte(u>>8))
	}
	for name, text := range map[string]string{
		"UTF-16, as some shells write":         string(little),
		"a byte order mark":                    "\xef\xbb\xbf" + plain,
		"an example of a request with answers": `{"parameters": {"api-version": "2022-10-01", "parameters": ` + plain + `}, "responses": {"200": {"body": ` + plain + `}, "201": {"body": ` + plain + `}}}`,
		"a template in an answer":              `{"template": {"$schema": "x", "resources": [` + plain + `]}, "outputs": {}}`,
		"a template spec":                      `{"properties": {"mainTemplate": {"resources": [` + plain + `]}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			pools, err := autoscale.Import([]byte(text), autoscale.Options{})
			if err != nil || len(pools) != 1 || pools[0].Name != "s" {
				t.Errorf("%+v, %v", pools, err)
			}
		})
	}
}
