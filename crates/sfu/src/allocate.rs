//! placeholder until the allocator lands
use std::time::Instant;
#[derive(Debug)]
pub(crate) struct Allocator<K>(std::marker::PhantomData<K>);
impl<K> Default for Allocator<K> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}
#[derive(Debug, Clone)]
pub(crate) struct Available {
    pub index: usize,
    pub bits_per_second: u64,
    pub height: Option<u16>,
}
#[derive(Debug, Clone)]
pub(crate) struct Want<K> {
    pub key: K,
    pub height: Option<u16>,
    pub layers: Vec<Available>,
}
impl<K: Copy> Allocator<K> {
    pub(crate) fn allocate(
        &mut self,
        _now: Instant,
        budget: Option<u64>,
        wants: &[Want<K>],
    ) -> Vec<(K, Option<usize>)> {
        let mut left = budget.unwrap_or(u64::MAX);
        wants
            .iter()
            .map(|want| {
                let fit = want
                    .layers
                    .iter()
                    .filter(|layer| {
                        layer.bits_per_second <= left
                            && want
                                .height
                                .is_none_or(|height| layer.height.is_none_or(|had| had <= height * 2))
                    })
                    .last();
                left -= fit.map_or(0, |fit| fit.bits_per_second);
                (want.key, fit.map(|fit| fit.index))
            })
            .collect()
    }
    pub(crate) fn desired(&self, wants: &[Want<K>]) -> u64 {
        wants.iter().filter_map(|want| want.layers.last()).map(|layer| layer.bits_per_second * 5 / 4).sum()
    }
}
