using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>What a client wants to run, and where.</summary>
internal sealed record ExecOptions(string Container, IReadOnlyList<string> Command, bool Input, bool Output, bool Error)
{
    /// <exception cref="ApiError">400 in Kubernetes' own words.</exception>
    public static ExecOptions Parse(ApiCall call, JsonObject pod)
    {
        var container = ContainerOf(call, pod);
        if (pod.At("spec").Text("nodeName") is not { Length: > 0 })
        {
            throw ApiError.BadRequest($"pod {call.Name} does not have a host assigned");
        }

        // "tty" is taken and means nothing: there are no terminals here.
        var options = new ExecOptions(
            container, [.. call.Query["command"].OfType<string>()],
            ApiCall.Flag(call.Query, "stdin"), ApiCall.Flag(call.Query, "stdout"), ApiCall.Flag(call.Query, "stderr"));
        return options is { Input: false, Output: false, Error: false }
            ? throw ApiError.BadRequest("you must specify at least 1 of stdin, stdout, stderr")
            : options;
    }

    private static string ContainerOf(ApiCall call, JsonObject pod)
    {
        var spec = pod.At("spec");
        var (all, init) = (Names(spec, "containers"), Names(spec, "initContainers"));
        if (call.Query["container"].LastOrDefault() is { Length: > 0 } wanted)
        {
            return all.Contains(wanted) || init.Contains(wanted)
                ? wanted
                : throw ApiError.BadRequest($"container {wanted} is not valid for pod {call.Name}");
        }

        if (all.Count == 1)
        {
            return all[0];
        }

        var others = init.Count > 0 ? $" or one of the init containers: [{string.Join(' ', init)}]" : "";
        throw ApiError.BadRequest($"a container name must be specified for pod {call.Name}, choose one of: [{string.Join(' ', all)}]{others}");
    }

    private static List<string> Names(JsonObject? spec, string field) =>
        [.. spec.Items(field)?.OfType<JsonObject>().Select(c => c.Text("name")).OfType<string>() ?? []];
}
