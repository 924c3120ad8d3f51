using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>Builds a container's environment from its <c>env</c> and <c>envFrom</c>.</summary>
internal sealed partial class PodEnvironment(ObjectStore store, JsonObject pod, string podIp, string hostIp)
{
    private readonly string _namespace = pod.Namespace() ?? "default";

    public Dictionary<string, string> Build(JsonObject container, IEnumerable<KeyValuePair<string, string>> service)
    {
        var result = new Dictionary<string, string>(service) { ["HOSTNAME"] = pod.Name() };
        foreach (var source in container.Items("envFrom")?.OfType<JsonObject>() ?? [])
        {
            var type = source.At("secretRef") is null ? ResourceType.ConfigMaps : ResourceType.Secrets;
            var reference = source.At("secretRef") ?? source.At("configMapRef");
            foreach (var (key, value) in Data(type, reference.Text("name") ?? "", IsOptional(reference)) ?? [])
            {
                result[source.Text("prefix") + key] = value;
            }
        }

        foreach (var variable in container.Items("env")?.OfType<JsonObject>() ?? [])
        {
            var name = variable.Text("name")!;
            if (variable.At("valueFrom") is { } from)
            {
                if (Resolve(from) is { } value)
                {
                    result[name] = value;
                }
            }
            else
            {
                result[name] = Expand(variable.Text("value") ?? "", result);
            }
        }

        return result;
    }

    /// <summary>Replaces <c>$(NAME)</c>; <c>$$(NAME)</c> is the text itself, and so is an unknown name.</summary>
    public static string Expand(string text, Dictionary<string, string> variables) =>
        Reference().Replace(text, m => m.Value.StartsWith("$$", StringComparison.Ordinal)
            ? m.Value.Length == 2 ? "$" : m.Value[1..]
            : variables.GetValueOrDefault(m.Groups[1].Value, m.Value));

    /// <summary>All values of a Secret or ConfigMap as text; null when it is missing and may be.</summary>
    public Dictionary<string, string>? Data(ResourceType type, string name, bool optional)
    {
        if (Bytes(store, type, _namespace, name) is { } data)
        {
            return data.ToDictionary(p => p.Key, p => Encoding.UTF8.GetString(p.Value));
        }

        return optional ? null : throw new MissingReferenceException($"{Kind(type)} \"{name}\" not found");
    }

    public static Dictionary<string, byte[]>? Bytes(ObjectStore store, ResourceType type, string ns, string name)
    {
        if (store.Get(type, ns, name) is not { } found)
        {
            return null;
        }

        var result = new Dictionary<string, byte[]>();
        foreach (var (key, value) in found.At("data") ?? [])
        {
            var text = value?.GetValue<string>() ?? "";
            result[key] = type == ResourceType.Secrets ? Convert.FromBase64String(text) : Encoding.UTF8.GetBytes(text);
        }

        foreach (var (key, value) in found.At("binaryData") ?? [])
        {
            result[key] = Convert.FromBase64String(value?.GetValue<string>() ?? "");
        }

        return result;
    }

    public static string Kind(ResourceType type) => type == ResourceType.Secrets ? "secret" : "configmap";

    public static bool IsOptional(JsonObject? reference) => reference?["optional"]?.GetValue<bool>() ?? false;

    private string? Resolve(JsonObject from)
    {
        if (from.At("fieldRef").Text("fieldPath") is { } path)
        {
            return FieldReference.Read(pod, path, podIp, hostIp);
        }

        var type = from.At("secretKeyRef") is null ? ResourceType.ConfigMaps : ResourceType.Secrets;
        var reference = from.At("secretKeyRef") ?? from.At("configMapKeyRef");
        if (reference is null)
        {
            return null;
        }

        var (name, key) = (reference.Text("name") ?? "", reference.Text("key") ?? "");
        if (Data(type, name, IsOptional(reference)) is { } data && data.TryGetValue(key, out var value))
        {
            return value;
        }

        return IsOptional(reference)
            ? null
            : throw new MissingReferenceException($"couldn't find key {key} in {(type == ResourceType.Secrets ? "Secret" : "ConfigMap")} {_namespace}/{name}");
    }

    [GeneratedRegex(@"\$\$(?:\([^()$]+\))?|\$\(([^()$]+)\)")]
    private static partial Regex Reference();
}
