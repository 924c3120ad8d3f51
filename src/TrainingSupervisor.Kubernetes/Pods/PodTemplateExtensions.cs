using k8s;
using k8s.Models;
using TrainingSupervisor.Kubernetes;

namespace TrainingSupervisor;

/// <summary>The Pod template that a Job, a JobSet or another controller needs, so that a gang can adopt its Pods.</summary>
public static class KubernetesGangSpecExtensions
{
    /// <summary>
    /// Makes the Pod template of a role: its own template, image and command, with the agent, its Secret, volumes and environment, and the rule
    /// for restarts in place. Pods may be created from it before the gang is launched: they wait for its Secret <c>gang-NAME</c>.
    /// </summary>
    /// <param name="gang">The gang.</param>
    /// <param name="role">The role's name.</param>
    /// <param name="restartsInPlace">False leaves the rule RestartAllContainers out, for clusters that refuse it: agents restart processes then.</param>
    /// <exception cref="ArgumentException">There is no such role, or it lacks an image, an agent, or the command that only a sidecar can do without.</exception>
    /// <exception cref="SupervisorException">The role's Pod template is no YAML of one, or ConfigurePod threw.</exception>
    public static V1PodTemplateSpec ToPodTemplate(this GangSpec gang, string role, bool restartsInPlace = true)
    {
        ArgumentNullException.ThrowIfNull(gang);
        var found = gang.Roles.FirstOrDefault(r => r.Name == role)
            ?? throw new ArgumentException($"Gang '{gang.Name}' has no role '{role}'; it has {string.Join(", ", gang.Roles.Select(r => r.Name))}.", nameof(role));
        string?[] missing =
        [
            found.Image.Length == 0 && found.PodTemplate is null ? "an image (WithImage or WithPodTemplate)" : null,
            found.Command.IsEmpty && !found.Sidecar ? "a command (WithCommand)" : null,
            found.Agent.Length == 0 ? "an agent (WithAgentFromImageVolume, WithAgentFromInitContainer or WithAgentInImage)" : null,
        ];
        return missing.OfType<string>().ToList() is { Count: > 0 } list
            ? throw new ArgumentException($"Role '{role}' needs {string.Join(" and ", list)} for a Pod template.", nameof(role))
            : PodFactory.CreateTemplate(gang, found, restartsInPlace);
    }

    /// <summary>The same as YAML, to be put under <c>template:</c>.</summary>
    /// <inheritdoc cref="ToPodTemplate"/>
    public static string ToPodTemplateYaml(this GangSpec gang, string role, bool restartsInPlace = true) =>
        KubernetesYaml.Serialize(gang.ToPodTemplate(role, restartsInPlace));
}
