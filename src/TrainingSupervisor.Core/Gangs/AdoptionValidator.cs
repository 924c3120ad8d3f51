namespace TrainingSupervisor;

/// <summary>What must hold for a gang whose Pods something else creates.</summary>
internal static class AdoptionValidator
{
    public static void Validate(GangSpec spec, Action<bool, string, string> check)
    {
        if (!spec.IsAdopted) return;
        foreach (var role in spec.Roles)
        {
            var path = $"roles[{role.Name}]";
            if (role.Adopted is not { } adopted)
            {
                check(false, $"{path}.adopted", "Other roles adopt their Pods and this one does not; use WithAdoptedPods for each role, or for none.");
                continue;
            }

            check(LabelSelectors.IsSelector(adopted.Selector), $"{path}.adopted.selector",
                $"'{adopted.Selector}' is no label selector; write it as for kubectl get pods -l, for example batch.kubernetes.io/job-name=llm.");
            check(LabelSelectors.IsKey(adopted.IndexLabel), $"{path}.adopted.indexLabel", $"'{adopted.IndexLabel}' is no name of a label.");
            check(role.Spares == 0 && role.SparePools.IsEmpty, $"{path}.spares", "A spare has no place in Pods that something else creates; leave WithSpares out.");
        }
    }
}
