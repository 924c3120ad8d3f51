using k8s;
using k8s.Models;
using TrainingSupervisor.Kubernetes;

namespace TrainingSupervisor;

/// <summary>Kubernetes' own types in the description of a role.</summary>
public static class KubernetesRoleBuilderExtensions
{
    /// <summary>Changes each Pod of the role after everything else was set: the escape hatch for what the builder does not know.</summary>
    /// <param name="role">The role.</param>
    /// <param name="configure">Changes the Pod. It must not take away the agent's command, volumes or environment.</param>
    public static RoleBuilder ConfigurePod(this RoleBuilder role, Action<V1Pod> configure)
    {
        ArgumentNullException.ThrowIfNull(role);
        ArgumentNullException.ThrowIfNull(configure);
        var before = role.Role.Extensions.TryGetValue(typeof(PodConfiguration), out var known) ? ((PodConfiguration)known).Actions : [];
        return role.WithExtension(new PodConfiguration([.. before, configure]));
    }

    /// <summary>Sets the role's Pod template. The worker's container is its first one.</summary>
    /// <param name="role">The role.</param>
    /// <param name="template">The template; later changes to it have no effect.</param>
    public static RoleBuilder WithPodTemplate(this RoleBuilder role, V1PodTemplateSpec template)
    {
        ArgumentNullException.ThrowIfNull(role);
        ArgumentNullException.ThrowIfNull(template);
        return role.WithPodTemplate(KubernetesYaml.Serialize(template));
    }
}
