using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>What follows from a container's exit.</summary>
internal enum RestartDecision
{
    Stay,
    Restart,
    RestartAll,
}

/// <summary>The rules of KEP-5307 and KEP-5532, then the container's policy, then the Pod's.</summary>
internal static class RestartRules
{
    public const string Feature = "RestartAllContainersOnContainerExits";

    public static RestartDecision Decide(JsonObject pod, ContainerSlot slot, int exitCode)
    {
        foreach (var rule in slot.Spec.Items("restartPolicyRules")?.OfType<JsonObject>() ?? [])
        {
            var codes = rule.At("exitCodes");
            var listed = codes.Items("values")?.Any(v => v!.GetValue<int>() == exitCode) ?? false;
            if (listed == (codes.Text("operator") != "NotIn"))
            {
                return rule.Text("action") == "RestartAllContainers" ? RestartDecision.RestartAll : RestartDecision.Restart;
            }
        }

        var policy = slot.Spec.Text("restartPolicy") ?? pod.At("spec").Text("restartPolicy") ?? "Always";
        return policy switch
        {
            "Always" when slot.IsPlainInit && exitCode == 0 => RestartDecision.Stay,
            "Always" => RestartDecision.Restart,
            "OnFailure" when exitCode != 0 => RestartDecision.Restart,
            _ => RestartDecision.Stay,
        };
    }

    public static bool NeedsFeature(JsonObject pod) =>
        (pod.At("spec").Items("containers") ?? []).Concat(pod.At("spec").Items("initContainers") ?? [])
            .OfType<JsonObject>().SelectMany(c => c.Items("restartPolicyRules") ?? [])
            .Any(r => (r as JsonObject).Text("action") == "RestartAllContainers");
}
