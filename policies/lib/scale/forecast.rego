package lib.scale

import data.lib.spell

# METADATA
# title: Forecast
# description: |
#   So many instances that each carries the target of the load that the signal's history lets expect within the lead of
#   its definition, with the margin that has covered past errors. It only ever raises the count. It is idle while there
#   is too little history, and with only set to "record", which publishes the count and the error of past forecasts and
#   asks for nothing. Options: target (of the signal's unit, for one instance); error_percent (beyond which error the
#   forecast is not believed, and only recorded; 50 unless given); only ("record"). The signal's definition must have
#   forecast.
# scope: document
# custom:
#   options: [error_percent, only, target]
forecast(signal, options) := {
	"code": "forecast",
	"name": signal,
	"state": _believed(outlook.error_permille, options),
	"instances": n,
	"numbers": {
		"error_permille": outlook.error_permille,
		"history_hours": outlook.history_hours,
		"instances_forecast": n,
		"lead_seconds": outlook.lead_seconds,
		"load_milli": outlook.load_milli,
		"margin_milli": outlook.margin_milli,
		"target_milli": target,
		"tried": outlook.tried,
	},
} if {
	not _wrong_forecast(options)
	outlook := input.signals[signal].forecast
	outlook.known
	target := _milli(options.target)
	n := _up(outlook.load_milli + outlook.margin_milli, target)
} else := _fault("forecast", signal, detail) if {
	detail := _wrong_forecast(options)
} else := _fault("forecast", signal, _no_signal(signal)) if {
	not input.signals[signal]
} else := _fault("forecast", signal, sprintf("signal %s has no forecast: its definition needs one", [signal])) if {
	not "forecast" in object.keys(input.signals[signal])
} else := {
	"code": "forecast",
	"name": signal,
	"state": "idle",
	"instances": 0,
	"numbers": {"history_hours": object.get(input.signals[signal], ["forecast", "history_hours"], 0)},
	"detail": object.get(input.signals[signal], ["forecast", "why"], "no history yet"),
}

_believed(error, options) := "idle" if {
	options.only
} else := "idle" if {
	error > object.get(options, "error_percent", 50) * 10
} else := "known"

_wrong_forecast(options) := `the second argument is an object of options, such as {"target": 60}` if {
	not is_object(options)
} else := spell.stranger("scale.forecast", options, {"error_percent", "only", "target"}) if {
	object.remove(options, {"error_percent", "only", "target"}) != {}
} else := "target must be a number of at least 0.001" if {
	not _target(object.get(options, "target", null))
} else := "error_percent must be a whole number from 0 up" if {
	not _whole(object.get(options, "error_percent", 50))
} else := `only must be "record", or left out` if {
	object.get(options, "only", "record") != "record"
}
