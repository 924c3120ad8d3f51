using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>The part of Kubernetes' validation that a Pod factory can get wrong.</summary>
internal static class PodValidation
{
    private const int MaxRules = 20;
    private const int MaxExitCodes = 255;

    public const string Immutable =
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

    public static void Check(JsonObject pod, EmbeddedClusterOptions options, List<FieldError> errors)
    {
        var spec = pod.Ensure("spec");
        var volumes = Volumes(spec, errors);
        var names = new HashSet<string>();
        if (spec.Items("containers") is null or { Count: 0 })
        {
            errors.Add(FieldError.Required("spec.containers"));
        }

        foreach (var (list, init) in new[] { ("containers", false), ("initContainers", true) })
        {
            var index = 0;
            foreach (var container in spec.Items(list)?.OfType<JsonObject>() ?? [])
            {
                Container($"spec.{list}[{index++}]", container, init, names, volumes, options, errors);
            }
        }

        OneOf("spec.restartPolicy", spec.Text("restartPolicy"), errors, "Always", "OnFailure", "Never");
        if (spec.Text("hostname") is { Length: > 0 } hostname)
        {
            MetadataValidation.DnsLabel("spec.hostname", hostname, errors);
        }
    }

    public static void CheckUpdate(JsonObject before, JsonObject after, List<FieldError> errors)
    {
        if (!JsonNode.DeepEquals(Fixed(before), Fixed(after)))
        {
            errors.Add(FieldError.Forbidden("spec", Immutable));
        }
    }

    private static JsonObject Fixed(JsonObject pod)
    {
        var spec = pod.At("spec")?.Clone() ?? [];
        spec.Remove("tolerations");
        spec.Remove("activeDeadlineSeconds");
        foreach (var container in PodDefaults.Containers(spec))
        {
            container.Remove("image");
        }

        return spec;
    }

    private static HashSet<string> Volumes(JsonObject spec, List<FieldError> errors)
    {
        var names = new HashSet<string>();
        var index = 0;
        foreach (var volume in spec.Items("volumes")?.OfType<JsonObject>() ?? [])
        {
            Name($"spec.volumes[{index++}].name", volume.Text("name"), names, errors);
        }

        return names;
    }

    private static void Container(
        string path, JsonObject container, bool init, HashSet<string> names, HashSet<string> volumes,
        EmbeddedClusterOptions options, List<FieldError> errors)
    {
        Name($"{path}.name", container.Text("name"), names, errors);
        if (string.IsNullOrEmpty(container.Text("image")))
        {
            errors.Add(FieldError.Required($"{path}.image"));
        }

        var index = 0;
        foreach (var mount in container.Items("volumeMounts")?.OfType<JsonObject>() ?? [])
        {
            var at = $"{path}.volumeMounts[{index++}]";
            var volume = mount.Text("name") ?? "";
            if (!volumes.Contains(volume))
            {
                errors.Add(new($"{at}.name", "FieldValueNotFound", $"Not found: \"{volume}\""));
            }

            if (string.IsNullOrEmpty(mount.Text("mountPath")))
            {
                errors.Add(FieldError.Required($"{at}.mountPath"));
            }
        }

        index = 0;
        foreach (var env in container.Items("env")?.OfType<JsonObject>() ?? [])
        {
            if (string.IsNullOrEmpty(env.Text("name")))
            {
                errors.Add(FieldError.Required($"{path}.env[{index}].name"));
            }

            index++;
        }

        RestartRules(path, container, init, options, errors);
    }

    private static void RestartRules(
        string path, JsonObject container, bool init, EmbeddedClusterOptions options, List<FieldError> errors)
    {
        var policy = container.Text("restartPolicy");
        if (policy is not null)
        {
            OneOf($"{path}.restartPolicy", policy, errors, "Always", "Never", "OnFailure");
        }

        if (container.Items("restartPolicyRules") is not { Count: > 0 } rules)
        {
            return;
        }

        if (policy is null)
        {
            errors.Add(FieldError.Required($"{path}.restartPolicy", "must specify restartPolicy when restart rules are used"));
        }

        var supported = options.RestartAllContainers ? new[] { "Restart", "RestartAllContainers" } : ["Restart"];
        if (init && policy == "Always" && !options.RestartAllContainers)
        {
            errors.Add(FieldError.Forbidden(
                $"{path}.restartPolicyRules", "restartPolicyRules are not allowed for init containers with restart policy Always"));
            return;
        }

        if (rules.Count > MaxRules)
        {
            errors.Add(FieldError.TooMany($"{path}.restartPolicyRules", rules.Count, MaxRules));
        }

        for (var i = 0; i < rules.Count; i++)
        {
            var at = $"{path}.restartPolicyRules[{i}]";
            var rule = rules[i] as JsonObject;
            OneOf($"{at}.action", rule.Text("action"), errors, supported);
            if (rule.At("exitCodes") is not { } codes)
            {
                errors.Add(FieldError.Required($"{at}.exitCodes", "must be specified"));
                continue;
            }

            OneOf($"{at}.exitCodes.operator", codes.Text("operator"), errors, "In", "NotIn");
            if (codes.Items("values") is { Count: > MaxExitCodes } values)
            {
                errors.Add(FieldError.TooMany($"{at}.exitCodes.values", values.Count, MaxExitCodes));
            }
        }
    }

    private static void Name(string path, string? name, HashSet<string> names, List<FieldError> errors)
    {
        if (string.IsNullOrEmpty(name))
        {
            errors.Add(FieldError.Required(path));
            return;
        }

        MetadataValidation.DnsLabel(path, name, errors);
        if (!names.Add(name))
        {
            errors.Add(new(path, "FieldValueDuplicate", $"Duplicate value: \"{name}\""));
        }
    }

    private static void OneOf(string path, string? value, List<FieldError> errors, params string[] supported)
    {
        if (string.IsNullOrEmpty(value))
        {
            errors.Add(FieldError.Required(path));
        }
        else if (!supported.Contains(value))
        {
            errors.Add(FieldError.NotSupported(path, value, supported));
        }
    }
}
