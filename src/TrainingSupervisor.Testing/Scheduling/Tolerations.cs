using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Scheduling;

/// <summary>Which taints a Pod tolerates.</summary>
internal static class Tolerations
{
    public static IEnumerable<JsonObject> Taints(JsonObject node) => node.At("spec").Items("taints")?.OfType<JsonObject>() ?? [];

    public static IEnumerable<JsonObject> Matching(JsonObject pod, JsonObject taint) =>
        (pod.At("spec").Items("tolerations")?.OfType<JsonObject>() ?? []).Where(t => Tolerates(t, taint));

    private static bool Tolerates(JsonObject toleration, JsonObject taint)
    {
        var (key, effect) = (toleration.Text("key"), toleration.Text("effect"));
        if (!string.IsNullOrEmpty(effect) && effect != taint.Text("effect"))
        {
            return false;
        }

        var exists = toleration.Text("operator") == "Exists";
        if (string.IsNullOrEmpty(key))
        {
            return exists;
        }

        return key == taint.Text("key") && (exists || (toleration.Text("value") ?? "") == (taint.Text("value") ?? ""));
    }
}
